"""The network: the only door to scapy and raw sockets. Segments travel in batches; one packet is a batch of one.

``Link.send(batch)`` out, ``Tap.receive()`` in, and nothing else: whatever stands above also runs over a list. A
`Neighbour` is a link to one host beside this one, for reading that host's routes.
"""
