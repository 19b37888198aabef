"""Real guests, prepared on the user's machine from Debian packages for riscv64: kernel and initial RAM disk, root file system."""
