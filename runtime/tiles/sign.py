"""Ed25519 signatures of caches: who built this map? RFC 8032, by the package ``cryptography``.

A signature is over the cache's own hash, which covers its rows, its metadata and the hash of the imagery beside it.
``AREA.tiles.sig`` is JSON: format, the cache's sha256, public_key and signature in hexadecimal.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.errors import CacheError, MissingPackageError, SettingsError
from runtime.files import write_text_whole
from runtime.tiles.cache import TileCache

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

FORMAT = 1
_MAKE = "python -m runtime.tiles key skyfix.key"
_DOMAIN = b"skyfix tile cache 1\n"  # a signature of something else is none of a cache


def signature_path(cache: Path) -> Path:
    """Return ``AREA.tiles.sig`` beside the cache."""
    return cache.with_name(cache.name + ".sig")


def make_key(path: Path) -> Path:
    """Write a new private key for its owner's eyes alone, and the public one as ``PATH.pub``; returns that.

    Raises SettingsError where there is a key already.
    """
    serialization = _serialization()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = path.with_name(path.name + ".pub")
    if taken := [p for p in (path, public) if p.exists()]:
        raise SettingsError(f"{taken[0]} is there already and is not written over; give another name for the new key")
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secret)
    shown = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    write_text_whole(public, shown.decode())
    return public


def sign_cache(cache: TileCache, key: Path) -> Path:
    """Write the signature of a cache beside it; raises SettingsError where the file holds no Ed25519 private key."""
    private: Ed25519PrivateKey = _load(key, private=True)
    serialization = _serialization()
    raw = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    stated = {
        "format": FORMAT,
        "sha256": cache.sha256,
        "public_key": raw.hex(),
        "signature": private.sign(_DOMAIN + cache.sha256.encode()).hex(),
    }
    out = signature_path(cache.path)
    write_text_whole(out, json.dumps(stated, indent=2) + "\n")
    return out


def check_private_key(path: Path) -> None:
    """Raise SettingsError where a file holds no Ed25519 private key, before work that is to be signed."""
    _load(path, private=True)


def check_signature(cache: TileCache, public_key: Path) -> None:
    """Raise CacheError where the owner of that key did not sign the cache, SettingsError for a file without a key."""
    public: Ed25519PublicKey = _load(public_key, private=False)
    from cryptography.exceptions import InvalidSignature

    path = signature_path(cache.path)
    mend = f"sign it: python -m runtime.tiles sign {cache.path} --key KEY"
    try:
        stated: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        signature, signed = bytes.fromhex(stated["signature"]), str(stated["sha256"])
    except FileNotFoundError:
        raise CacheError(f"{cache.path} is not signed: {path.name} is missing beside it; {mend}") from None
    except (ValueError, KeyError, TypeError):
        raise CacheError(f"{path} is no signature of a cache; {mend}") from None
    if signed != cache.sha256:
        raise CacheError(f"{path} signs another cache ({signed[:12]}), this one is {cache.sha256[:12]}; {mend}")
    try:
        public.verify(signature, _DOMAIN + cache.sha256.encode())
    except InvalidSignature:
        raise CacheError(
            f"{cache.path} is not signed by the owner of {public_key}; do not fly it, or give the right --public-key"
        ) from None


def _load(path: Path, *, private: bool) -> Any:
    serialization = _serialization()
    from cryptography.hazmat.primitives.asymmetric import ed25519

    wanted: type = ed25519.Ed25519PrivateKey if private else ed25519.Ed25519PublicKey
    try:
        data = path.read_bytes()
        key = (
            serialization.load_pem_private_key(data, password=None)
            if private
            else serialization.load_pem_public_key(data)
        )
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}); make a key: {_MAKE}") from None
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, wanted):
        kind = "private" if private else "public"
        raise SettingsError(f"{path} holds no Ed25519 {kind} key in PEM; make one: {_MAKE}")
    return key


def _serialization() -> Any:
    """Import the package's serialization first of all, so that a missing package is reported in one line."""
    try:
        from cryptography.hazmat.primitives import serialization
    except ModuleNotFoundError:
        raise MissingPackageError("cryptography", "sign") from None
    return serialization
