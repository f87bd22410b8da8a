"""The command line: thin commands over the library's rooms."""

import sys

# Where PYTHONDONTWRITEBYTECODE is set, as in many images, every single command would compile all
# of this package anew, which takes longer than the command's own work. pip ignores it as well.
sys.dont_write_bytecode = False
