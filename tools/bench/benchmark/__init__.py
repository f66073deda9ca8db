"""The comparison of ways to get kernel headers in front of a compiler; tools/bench/run starts it.

command.py reads the arguments and enters private namespaces (isolation.py); inputs.py makes
archives and images once; contenders.py knows every way to show their content; build.py, stat.py,
reading.py, memory.py, packing.py and scale.py measure; report.py and chart.py show.
"""
