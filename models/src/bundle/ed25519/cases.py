#!/usr/bin/env python3
"""Makes cases.json: Ed25519 signatures in minisign's form, at the edges of what is valid.

    python3 cases.py > cases.json        (no packages; the same bytes every time)

The arithmetic is that of RFC 8032, section 5.1, slow and plain. It is held against the RFC's own vectors
below before it writes anything. Conditions follow table 5 of Chalkias, Garillot, Nikolaenko, "Taming the
many EdDSAs" (2020); the values are our own, since a minisign signature is two Ed25519 signatures.
"""
import hashlib
import json
import sys

p = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
d = -121665 * pow(121666, p - 2, p) % p
ROOT = pow(2, (p - 1) // 4, p)  # of -1


def add(P, Q):
    a, b = (P[1] - P[0]) * (Q[1] - Q[0]) % p, (P[1] + P[0]) * (Q[1] + Q[0]) % p
    c, e = 2 * P[3] * Q[3] * d % p, 2 * P[2] * Q[2] % p
    e, f, g, h = b - a, e - c, e + c, b + a
    return e * f % p, g * h % p, f * g % p, e * h % p


def mul(n, P):
    Q = (0, 1, 1, 0)
    while n:
        if n & 1:
            Q = add(Q, P)
        P, n = add(P, P), n >> 1
    return Q


def neg(P):
    return -P[0] % p, P[1], P[2], -P[3] % p


def encode(P):
    z = pow(P[2], p - 2, p)
    x, y = P[0] * z % p, P[1] * z % p
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(data):
    """As lenient as the verifying crate: y may be above p, x = 0 may have a sign. None off the curve."""
    n = int.from_bytes(data, "little")
    sign, y = n >> 255, (n & (1 << 255) - 1) % p
    u, v = (y * y - 1) % p, (d * y * y + 1) % p
    x = u * pow(v, 3, p) * pow(u * pow(v, 7, p), (p - 5) // 8, p) % p
    if (v * x * x - u) % p:
        x = x * ROOT % p
    if (v * x * x - u) % p:
        return None
    if x & 1 != sign:
        x = -x % p
    return x, y, 1, x * y % p


B = decode((4 * pow(5, p - 2, p) % p).to_bytes(32, "little"))


def H(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


def key(seed):
    digest = hashlib.sha512(seed).digest()
    a = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
    return a, digest[32:], encode(mul(a, B))


def scalar(s):
    return s.to_bytes(32, "little")


def sign(k, message):
    a, prefix, A = k
    r = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % L
    R = encode(mul(r, B))
    return R + scalar((r + H(R, A, message) * a) % L)


def holds(A, message, signature):
    """The equation without the cofactor, R compared as bytes: what minisign-verify asks."""
    point = decode(A)
    h, s = H(signature[:32], A, message), int.from_bytes(signature[32:], "little")
    return point is not None and encode(add(mul(s, B), neg(mul(h, point)))) == signature[:32]


def search(A, message, torsion=None, a=0):
    """A signature under the encoded key A = a*B + T, found by trying: R = r*B - h*T for a guessed h."""
    T = torsion if torsion is not None else decode(A)
    for r in range(1, 1000):
        for guess in range(8):
            R = encode(add(mul(r, B), neg(mul(guess, T))))
            h = H(R, A, message)
            if h % 8 == guess:
                return R + scalar((r + h * a) % L)


def prehash(message):
    return hashlib.blake2b(message).digest()


RFC = [  # RFC 8032, section 7.1: secret key, public key, message, signature
    ("TEST 1", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("TEST 2", "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("TEST 3", "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
    ("TEST SHA(abc)", "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf", hashlib.sha512(b"abc").hexdigest(),
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"),
]

OWN, TAMING, RFC_8032 = "computed", "computed; condition of Taming the many EdDSAs", "RFC 8032, section 7.1"
MESSAGE, COMMENT = b"manifest", "release 7"
cases = []


def case(comment, source, A, signature, whole, result, alone, message=MESSAGE, prehashed=True):
    """alone: whether minisign-verify, asked by itself, would have taken it."""
    if prehashed:
        both = holds(A, prehash(message), signature) and holds(A, signature + COMMENT.encode(), whole)
        assert both or not alone, comment
    cases.append({
        "comment": comment, "source": source, "prehashed": prehashed, "key": A.hex(),
        "message": message.hex(), "signature": signature.hex(), "trusted_comment": COMMENT,
        "global": whole.hex(), "result": result, "alone": alone,
    })


def both(comment, source, A, make, result, alone):
    """`make` signs any message under A: used for both halves."""
    signature = make(prehash(MESSAGE))
    case(comment, source, A, signature, make(signature + COMMENT.encode()), result, alone)


def either(comment, source, k, spoil, fault, alone):
    """A good signature of which each half in turn is spoiled; the other half is good."""
    A, first = k[2], sign(k, prehash(MESSAGE))
    spoiled = spoil(prehash(MESSAGE), first)
    case(comment + ", over the message", source, A, spoiled, sign(k, spoiled + COMMENT.encode()), "message: " + fault, alone)
    rest = first + COMMENT.encode()
    case(comment + ", over the comment", source, A, first, spoil(rest, sign(k, rest)), "comment: " + fault, alone)


for name, secret, public, message, signature in RFC:
    k, message, signature = key(bytes.fromhex(secret)), bytes.fromhex(message), bytes.fromhex(signature)
    assert k[2].hex() == public and sign(k, message) == signature, name
    case(name, RFC_8032, k[2], signature, sign(k, signature + COMMENT.encode()), "legacy", True, message, False)
    whole = sign(k, prehash(message))
    case(name + "'s key, prehashed as minisign does", OWN, k[2], whole, sign(k, whole + COMMENT.encode()), "valid", True, message)

own, other = key(b"a"), key(b"b")
EIGHTH = decode(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"))
assert encode(mul(8, EIGHTH)) == scalar(1) and encode(mul(4, EIGHTH)) != scalar(1)

# Keys of small order: eight points, and every other way to write them.
order = {}
for i in range(8):
    y = int.from_bytes(encode(mul(i, EIGHTH)), "little") & (1 << 255) - 1
    order[y] = {0: 1, 4: 2, 2: 4, 6: 4}.get(i, 8)
for y0, n in sorted(order.items()):
    for y in [y0] + ([y0 + p] if y0 + p < 2**255 else []):
        for sign_bit in (0, 1):
            A = (y | sign_bit << 255).to_bytes(32, "little")
            canonical = y < p and encode(decode(A)) == A
            how = "canonical" if canonical else "not canonical"
            # The crate knows y = 1, with either sign, and 32 zero bytes.
            alone = y != 1 and A != bytes(32)
            both(f"key of order {n}, {how}, ..{A[-1]:02x}{A[0]:02x}", TAMING, A, lambda m: search(A, m), "key: small order", alone)

# Keys that are not canonical and of large order: nobody knows the secret half of one.
found = 0
for y in range(p + 2, 2**255):
    A = y.to_bytes(32, "little")
    on_curve = decode(A) is not None
    if y == 2**255 - 1 or (on_curve and found < 2):
        found += on_curve
        both(f"key with y = p + {y - p}, {'on' if on_curve else 'off'} the curve", TAMING, A,
             lambda m: sign(own, m), "key: not canonical", False)

# S.
for n, text in ((1, "S + L"), (8, "S + 8L"), (14, "S + 14L")):
    more = lambda m, s: s[:32] + scalar(int.from_bytes(s[32:], "little") + n * L)
    either(text, TAMING, own, more, "S", False)
either("S = L", OWN, own, lambda m, s: s[:32] + scalar(L), "S", False)
either("S of 256 ones", OWN, own, lambda m, s: s[:32] + b"\xff" * 32, "S", False)
either("S = 0", OWN, own, lambda m, s: s[:32] + bytes(32), "equation", False)
either("S = L - S", OWN, own, lambda m, s: s[:32] + scalar(L - int.from_bytes(s[32:], "little")), "equation", False)

# R.
either("R the identity, by the key's holder", TAMING, own,
       lambda m, s: scalar(1) + scalar(H(scalar(1), own[2], m) * own[0] % L), "R of small order", True)
for R, text in ((scalar(p + 1), "identity as p + 1"), (scalar(1 | 1 << 255), "identity with a sign"),
                (encode(mul(4, EIGHTH)), "order 2"), (scalar(p - 1 | 1 << 255), "order 2 with a sign"),
                (scalar(0), "order 4"), (scalar(p), "order 4 as p"), (encode(EIGHTH), "order 8")):
    either(f"R: {text}; only the equation with the cofactor holds", TAMING, own,
           lambda m, s: R + scalar(H(R, own[2], m) * own[0] % L), "R of small order", False)
either("R with y = p + 3", TAMING, own, lambda m, s: scalar(p + 3) + s[32:], "R not canonical", False)
either("R with y = 2^255 - 1", TAMING, own, lambda m, s: b"\xff" * 31 + b"\x7f" + s[32:], "R not canonical", False)
off = next(scalar(y) for y in range(2, 99) if decode(scalar(y)) is None)
either("R off the curve", OWN, own, lambda m, s: off + s[32:], "equation", False)

# Mixed order: the key's holder alone can do this, and the bytes do not show it.
mixed = encode(add(mul(own[0], B), EIGHTH))
both("key of mixed order, the equation without the cofactor holds", TAMING, mixed,
     lambda m: search(mixed, m, EIGHTH, own[0]), "valid", True)


def with_cofactor(m):
    for r in range(1, 99):
        R = encode(mul(r, B))
        h = H(R, mixed, m)
        if h % 8:
            return R + scalar((r + h * own[0]) % L)


both("key of mixed order, only the equation with the cofactor holds", TAMING, mixed, with_cofactor, "message: equation", False)


def small_r(m):
    for i in range(8):
        R = encode(mul(i, EIGHTH))
        h = H(R, mixed, m)
        if (i + h) % 8 == 0:
            return R + scalar(h * own[0] % L)


for n in range(99):  # a message for which there is such an R
    message = b"manifest %d" % n
    first = small_r(prehash(message))
    if first:
        rest = first + COMMENT.encode()
        case("key of mixed order, R of small order, the equation holds", TAMING, mixed, first,
             search(mixed, rest, EIGHTH, own[0]), "message: R of small order", True, message)
        break

# A key off the curve is no key: nothing verifies under it.
both("key off the curve", OWN, off, lambda m: sign(own, m), "message: equation", False)

# What is not at an edge, but must not pass either.
first = sign(own, prehash(MESSAGE))
whole = sign(own, first + COMMENT.encode())
case("a good one", OWN, own[2], first, whole, "valid", True)
case("signed by another key", OWN, own[2], sign(other, prehash(MESSAGE)), whole, "message: equation", False)
case("of another message", OWN, own[2], first, whole, "message: equation", False, b"another")
case("the comment signed by another key", OWN, own[2], first, sign(other, first + COMMENT.encode()), "comment: equation", False)
case("the comment of another text", OWN, own[2], first, sign(own, first + b"release 8"), "comment: equation", False)
case("the comment signed without the signature before it", OWN, own[2], first, sign(own, COMMENT.encode()), "comment: equation", False)
case("the two halves exchanged", OWN, own[2], whole, first, "message: equation", False)
case("the message signed, not its hash", OWN, own[2], sign(own, MESSAGE), sign(own, sign(own, MESSAGE) + COMMENT.encode()), "message: equation", False)

json.dump(cases, sys.stdout, indent=1)
print()
