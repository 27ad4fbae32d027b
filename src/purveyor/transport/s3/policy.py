"""The rights that let clients read a point in a bucket, as its owner gives them to the S3 server. Pure.

A CAP has many small files with names that change all the time, and no client holds a key. So reading is opened for a whole
prefix. Signing an address for each file is not offered: an address would have to be made for every file and client, would end
before a client that was off for a month comes back, and could not be part of what is signed once for all. Who wants no public
bucket puts the site's own HTTP, or nginx, before it. What is published is signed, not secret, whichever way it is read.
"""

import json

from purveyor.transport.s3.address import s3_address


def bucket_policy(bucket: str, prefix: str, *, tells_absent: bool = False) -> str:
    """A bucket policy, in JSON, with which everybody may read below the prefix and do nothing else.

    With `tells_absent` everybody may list the prefix too: AWS says "no such file" (404) only to who may list, and "forbidden"
    (403) to all others, which a client takes for a point that is not in order.
    Errors: RejectedError when there can be no such bucket or prefix.
    """
    address = s3_address(f"s3://{bucket}/{prefix}")
    below = f"{address.prefix}/*" if address.prefix else "*"
    reading: dict[str, object] = {
        "Sid": "ClientsRead",
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject"],
        "Resource": [f"arn:aws:s3:::{address.bucket}/{below}"],
    }
    listing: dict[str, object] = {
        "Sid": "ClientsAreToldWhatIsAbsent",
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{address.bucket}"],
    }
    if address.prefix:
        listing["Condition"] = {"StringLike": {"s3:prefix": [below]}}
    statements = [reading, listing] if tells_absent else [reading]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2) + "\n"
