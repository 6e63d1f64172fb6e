"""What SeaweedFS's servers ask for at their doors beside S3, which has keys of its own.

Master, volumes, filer and S3 speak HTTP and gRPC with one another, and by default answer anybody.
With these variables HTTP asks for a JWT, or for our certificate, and gRPC for our certificate.
"""

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from podline.files import replacing

_SIGNING = ("SIGNING_KEY", "SIGNING_READ_KEY", "FILER_SIGNING_KEY", "FILER_SIGNING_READ_KEY")
_GRPC = ("MASTER", "VOLUME", "FILER", "S3", "ADMIN", "WORKER", "CLIENT")
_HTTPS = ("MASTER", "FILER", "ADMIN")  # not the volumes, which move the data: they have JWTs
_VALID = timedelta(days=36_500)


def jwt_variables() -> dict[str, str]:
    """The environment of a server whose volumes and filer take signed requests only."""
    return {f"WEED_JWT_{name}": secrets.token_urlsafe(30) for name in _SIGNING}


def certificate_variables(path: Path) -> dict[str, str]:
    """The environment of a server whose parts know one another by a certificate.

    Args:
        path: of the certificate with its private key, as a PEM file; it is made unless it is there.
    """
    if not path.exists():
        with replacing(path) as part:  # which only its owner can read
            part.write_bytes(_new_certificate())
    grpc = {f"WEED_GRPC_{name}_{half}": str(path) for name in _GRPC for half in ("CERT", "KEY")}
    parts = ("CERT", "KEY", "CA")
    https = {f"WEED_HTTPS_{name}_{part}": str(path) for name in _HTTPS for part in parts}
    return {"WEED_GRPC_CA": str(path), **grpc, **https}


def _new_certificate() -> bytes:
    """A certificate that vouches for itself, and its key: whoever has this file is let in."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "podline")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(pem) + private
