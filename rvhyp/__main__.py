"""python -m rvhyp"""
from rvhyp.cli import main

main(prog_name="rvhyp")
