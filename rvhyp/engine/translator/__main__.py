"""`python -m rvhyp.engine.translator DESCRIPTOR`: the process that compiles."""
from rvhyp.engine.translator.worker import main

main()
