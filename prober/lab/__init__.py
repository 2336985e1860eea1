"""The real kernel in throw-away, closed network namespaces: hosts, routers, pods, and incidents to break them with."""
