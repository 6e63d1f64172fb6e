"""Takes a cluster's certificate authority as kubectl and Pythons before 3.13 do.

Python 3.13 asks for extensions that the authorities of many clusters lack, and Airflow's clients of
Kubernetes cannot be told not to. Signatures, names and dates are checked as ever. Each process of
the image imports it at its start; with PODLINE_STRICT_TLS=1 it changes nothing.
"""

import os

if os.environ.get("PODLINE_STRICT_TLS") != "1":
    import _ssl
    import ssl

    _ssl.VERIFY_X509_STRICT = 0  # type: ignore[misc]
    ssl.VERIFY_X509_STRICT = ssl.VerifyFlags(0)  # type: ignore[misc,assignment]
