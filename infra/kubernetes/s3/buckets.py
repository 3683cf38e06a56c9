"""Make the buckets of $BUCKETS, those that are not there yet."""

import os

import boto3

s3 = boto3.client("s3")
there = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
for name in os.environ["BUCKETS"].split():
    if name not in there:
        s3.create_bucket(Bucket=name)
    print(f"{name}: is there")
