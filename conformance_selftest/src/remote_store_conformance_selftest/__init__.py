"""
The conformance kit, checked: backends that are right and backends that are wrong.

``remote-store-conform self-test`` runs it. Who checks a backend of their own
does not need it.
"""
