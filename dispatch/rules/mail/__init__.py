"""Reading mail of any origin within fixed bounds (promise 3.2): pure, linear, and never raising for what it reads."""
