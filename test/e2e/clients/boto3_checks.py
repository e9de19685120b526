"""What boto3 must be able to do. Each `check_` function is a test of its own: boto3.test.ts runs `python boto3_checks.py NAME`.

The environment holds the credentials and the address of the server. A check ends normally or by an exception.
"""

import base64
import concurrent.futures
import hashlib
import io
import os
import sys
import threading
import urllib.error
import urllib.request
import zlib

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

MIB = 1024 * 1024
ODD_KEYS = ["two words", "ä ö ü", "\U0001f600/\u0301", "a//b", "..", "a/../b", "%41+&=?#", "<&>\"'", "tab\t", "line\n", " x ", "'"]


def client(**config):
    return boto3.client("s3", config=Config(retries={"total_max_attempts": 1}, **config))


def bucket(s3, name):
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-south-2"})
    return name


def refused(call, **arguments):
    """The code and status that a call is refused with."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    raise AssertionError("the call was not refused")


def equal(found, wanted):
    assert found == wanted, f"found {found!r}, not {wanted!r}"


def body(s3, **arguments):
    return s3.get_object(**arguments)["Body"].read()


def check_buckets():
    s3 = client()
    name = bucket(s3, "boto-buckets")
    assert name in [each["Name"] for each in s3.list_buckets()["Buckets"]]
    s3.head_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    equal(refused(s3.delete_bucket, Bucket=name), ("BucketNotEmpty", 409))
    boto3.resource("s3").Bucket(name).objects.all().delete()
    s3.delete_bucket(Bucket=name)
    equal(refused(s3.head_bucket, Bucket=name), ("404", 404))
    equal(refused(s3.list_objects_v2, Bucket=name), ("NoSuchBucket", 404))
    equal(refused(s3.create_bucket, Bucket="Not_a_name", CreateBucketConfiguration={"LocationConstraint": "x"})[1], 400)


def check_odd_keys():
    s3 = client()
    name = bucket(s3, "boto-odd-keys")
    for key in ODD_KEYS:
        s3.put_object(Bucket=name, Key=key, Body=key.encode())
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=name, PaginationConfig={"PageSize": 3})
    listed = [each["Key"] for page in pages for each in page["Contents"]]
    equal(listed, sorted(ODD_KEYS, key=str.encode))
    for key in ODD_KEYS:
        equal(body(s3, Bucket=name, Key=key), key.encode())
        s3.copy_object(Bucket=name, Key="copies/" + key, CopySource={"Bucket": name, "Key": key})
        equal(body(s3, Bucket=name, Key="copies/" + key), key.encode())
    removed = s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": key} for key in ODD_KEYS]})
    equal([each["Key"] for each in removed["Deleted"]], ODD_KEYS)
    equal(s3.list_objects(Bucket=name, Prefix="copies/")["Contents"][0]["Key"][:7], "copies/")
    equal(s3.list_objects_v2(Bucket=name)["KeyCount"], len(ODD_KEYS))


def check_listing():
    s3 = client()
    name = bucket(s3, "boto-listing")
    for key in ["a", "a/b", "a/b/c", "a/d", "b/", "z"]:
        s3.put_object(Bucket=name, Key=key)
    page = s3.list_objects_v2(Bucket=name, Delimiter="/")
    equal([each["Key"] for each in page["Contents"]], ["a", "z"])
    equal([each["Prefix"] for each in page["CommonPrefixes"]], ["a/", "b/"])
    page = s3.list_objects_v2(Bucket=name, Prefix="a/", Delimiter="/", FetchOwner=True)
    equal([each["Key"] for each in page["Contents"]], ["a/b", "a/d"])
    assert page["Contents"][0]["Owner"]["ID"]
    page = s3.list_objects_v2(Bucket=name, StartAfter="a/b/c")
    equal([each["Key"] for each in page["Contents"]], ["a/d", "b/", "z"])
    pages = s3.get_paginator("list_objects").paginate(Bucket=name, Delimiter="/", PaginationConfig={"PageSize": 1})
    equal(len(list(pages)), 4)


def check_transfers_of_large_files():
    s3 = client()
    name = bucket(s3, "boto-large")
    content = os.urandom(40 * MIB)
    seen = []
    s3.upload_fileobj(io.BytesIO(content), name, "large", ExtraArgs={"Metadata": {"a": "1"}, "ContentType": "x/y"}, Callback=seen.append)
    equal(sum(seen), len(content))
    head = s3.head_object(Bucket=name, Key="large")
    equal((head["ContentLength"], head["Metadata"], head["ContentType"]), (len(content), {"a": "1"}, "x/y"))
    equal(head["ETag"][-3:], '-5"')
    back = io.BytesIO()
    s3.download_fileobj(name, "large", back)
    assert back.getvalue() == content
    s3.copy({"Bucket": name, "Key": "large"}, name, "copied", Config=TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=9 * MIB))
    assert body(s3, Bucket=name, Key="copied") == content
    s3.copy_object(Bucket=name, Key="whole", CopySource=f"{name}/large")
    assert body(s3, Bucket=name, Key="whole") == content
    equal(body(s3, Bucket=name, Key="large", Range="bytes=8388600-8388615"), content[8388600:8388616])
    equal(body(s3, Bucket=name, Key="large", PartNumber=5), content[32 * MIB :])


def check_parts_of_odd_sizes():
    s3 = client()
    name = bucket(s3, "boto-parts")
    sizes = {1: 5 * MIB, 4: 7 * MIB + 3, 9: 5 * MIB + 1, 10: 17}
    contents = {number: os.urandom(size) for number, size in sizes.items()}
    upload = {"Bucket": name, "Key": "k", "UploadId": s3.create_multipart_upload(Bucket=name, Key="k")["UploadId"]}
    s3.upload_part(**upload, PartNumber=4, Body=os.urandom(6 * MIB))
    parts = []
    for number in [10, 4, 1, 9]:
        answer = s3.upload_part(**upload, PartNumber=number, Body=contents[number])
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    wrong = {"Parts": sorted(parts, key=lambda part: -part["PartNumber"])}
    equal(refused(s3.complete_multipart_upload, **upload, MultipartUpload=wrong)[0], "InvalidPartOrder")
    parts.sort(key=lambda part: part["PartNumber"])
    missing = {"Parts": [*parts[:2], {"PartNumber": 8, "ETag": parts[0]["ETag"]}, *parts[2:]]}
    equal(refused(s3.complete_multipart_upload, **upload, MultipartUpload=missing)[0], "InvalidPart")
    listed = [part["PartNumber"] for page in s3.get_paginator("list_parts").paginate(**upload, PaginationConfig={"PageSize": 2}) for part in page["Parts"]]
    equal(listed, sorted(sizes))
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert body(s3, Bucket=name, Key="k") == b"".join(contents[number] for number in sorted(contents))
    equal(refused(s3.list_parts, **upload)[0], "NoSuchUpload")
    small = {**upload, "UploadId": s3.create_multipart_upload(Bucket=name, Key="k")["UploadId"]}
    etags = [s3.upload_part(**small, PartNumber=number, Body=b"small")["ETag"] for number in (1, 2)]
    parts = [{"PartNumber": index + 1, "ETag": etag} for index, etag in enumerate(etags)]
    equal(refused(s3.complete_multipart_upload, **small, MultipartUpload={"Parts": parts})[0], "EntityTooSmall")
    s3.abort_multipart_upload(**small)
    equal(s3.list_multipart_uploads(Bucket=name).get("Uploads", []), [])


def check_checksums():
    s3 = client()
    name = bucket(s3, "boto-checksums")
    content = os.urandom(300_000)
    for algorithm in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]:
        put = s3.put_object(Bucket=name, Key=algorithm, Body=content, ChecksumAlgorithm=algorithm)
        streamed = s3.put_object(Bucket=name, Key=algorithm, Body=io.BytesIO(content), ChecksumAlgorithm=algorithm)
        got = s3.get_object(Bucket=name, Key=algorithm, ChecksumMode="ENABLED")
        assert got["Body"].read() == content
        field = "Checksum" + algorithm
        equal({put[field], streamed[field], got[field]}, {put[field]})
    equal(s3.get_object_attributes(Bucket=name, Key="SHA256", ObjectAttributes=["Checksum", "ObjectSize"])["ObjectSize"], len(content))
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    equal(refused(s3.put_object, Bucket=name, Key="k", Body=content, ChecksumSHA256=wrong), ("BadDigest", 400))
    equal(refused(s3.put_object, Bucket=name, Key="k", Body=content, ContentMD5=base64.b64encode(bytes(16)).decode())[0], "BadDigest")
    equal(refused(s3.get_object, Bucket=name, Key="k")[0], "NoSuchKey")


def check_checksums_of_parts():
    s3 = client()
    name = bucket(s3, "boto-part-checksums")
    content = os.urandom(12 * MIB)
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    for algorithm in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]:
        s3.upload_fileobj(io.BytesIO(content), name, algorithm, ExtraArgs={"ChecksumAlgorithm": algorithm}, Config=config)
        got = s3.get_object(Bucket=name, Key=algorithm, ChecksumMode="ENABLED")
        assert got["Body"].read() == content
        assert got["Checksum" + algorithm], algorithm
    upload = {"Bucket": name, "Key": "whole"}
    upload["UploadId"] = s3.create_multipart_upload(**upload, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")["UploadId"]
    parts = []
    for number, start in enumerate(range(0, len(content), 5 * MIB), 1):
        answer = s3.upload_part(**upload, PartNumber=number, Body=content[start : start + 5 * MIB], ChecksumAlgorithm="CRC32")
        parts.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": answer["ChecksumCRC32"]})
    whole = base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, ChecksumType="FULL_OBJECT", ChecksumCRC32=whole)
    equal(done["ChecksumCRC32"], whole)


def check_headers_and_metadata():
    s3 = client()
    name = bucket(s3, "boto-headers")
    said = {"CacheControl": "no-store", "ContentDisposition": "inline", "ContentEncoding": "x-none", "ContentLanguage": "de", "ContentType": "text/x"}
    s3.put_object(Bucket=name, Key="k", Body=b"0123456789", Metadata={"colour": "blue", "empty": ""}, **said)
    head = s3.head_object(Bucket=name, Key="k")
    equal({key: head[key] for key in said}, said)
    equal(head["Metadata"], {"colour": "blue", "empty": ""})
    got = s3.get_object(Bucket=name, Key="k", ResponseContentType="a/b", ResponseCacheControl="x")
    equal((got["ContentType"], got["CacheControl"]), ("a/b", "x"))
    s3.copy_object(Bucket=name, Key="k", CopySource=f"{name}/k", MetadataDirective="REPLACE", Metadata={"n": "2"}, ContentType="c/d")
    head = s3.head_object(Bucket=name, Key="k")
    equal((head["Metadata"], head["ContentType"]), ({"n": "2"}, "c/d"))
    equal(refused(s3.copy_object, Bucket=name, Key="k", CopySource=f"{name}/k")[0], "InvalidRequest")


def check_ranges_and_conditions_of_reads():
    s3 = client()
    name = bucket(s3, "boto-conditions")
    etag = s3.put_object(Bucket=name, Key="k", Body=b"0123456789")["ETag"]
    at = {"Bucket": name, "Key": "k"}
    equal(body(s3, **at, Range="bytes=2-4"), b"234")
    equal(body(s3, **at, Range="bytes=-3"), b"789")
    equal(body(s3, **at, Range="bytes=7-"), b"789")
    equal(s3.get_object(**at, Range="bytes=7-99")["ContentRange"], "bytes 7-9/10")
    equal(refused(s3.get_object, **at, Range="bytes=10-"), ("InvalidRange", 416))
    equal(refused(s3.get_object, **at, IfNoneMatch=etag), ("304", 304))
    equal(refused(s3.get_object, **at, IfMatch='"no"'), ("PreconditionFailed", 412))
    equal(refused(s3.head_object, **at, IfMatch='"no"')[1], 412)
    modified = s3.head_object(**at)["LastModified"]
    equal(refused(s3.get_object, **at, IfModifiedSince=modified)[1], 304)
    equal(body(s3, **at, IfUnmodifiedSince=modified), b"0123456789")


def check_conditional_writes():
    s3 = client()
    name = bucket(s3, "boto-writes")
    at = {"Bucket": name, "Key": "k"}
    first = s3.put_object(**at, Body=b"1", IfNoneMatch="*")["ETag"]
    equal(refused(s3.put_object, **at, Body=b"2", IfNoneMatch="*"), ("PreconditionFailed", 412))
    second = s3.put_object(**at, Body=b"2", IfMatch=first)["ETag"]
    equal(refused(s3.put_object, **at, Body=b"3", IfMatch=first), ("PreconditionFailed", 412))
    equal(refused(s3.put_object, Bucket=name, Key="never", Body=b"3", IfMatch=first), ("NoSuchKey", 404))
    upload = {**at, "UploadId": s3.create_multipart_upload(**at)["UploadId"]}
    part = s3.upload_part(**upload, PartNumber=1, Body=b"3")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    equal(refused(s3.complete_multipart_upload, **upload, MultipartUpload=parts, IfNoneMatch="*")[0], "PreconditionFailed")
    s3.complete_multipart_upload(**upload, MultipartUpload=parts, IfMatch=second)
    equal(body(s3, **at), b"3")


def check_one_of_racing_writers_wins():
    s3 = client(max_pool_connections=32)
    name = bucket(s3, "boto-race")
    together = threading.Barrier(32)

    def put(number):
        together.wait()
        try:
            s3.put_object(Bucket=name, Key="k", Body=str(number).encode(), IfNoneMatch="*")
            return number
        except ClientError as error:
            assert error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict"), error
            return None

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        winners = [number for number in pool.map(put, range(32)) if number is not None]
    equal(len(winners), 1)
    equal(body(s3, Bucket=name, Key="k"), str(winners[0]).encode())


def check_versions():
    s3 = client()
    name = bucket(s3, "boto-versions")
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    at = {"Bucket": name, "Key": "k"}
    versions = [s3.put_object(**at, Body=text)["VersionId"] for text in (b"1", b"2", b"3")]
    equal([body(s3, **at, VersionId=version) for version in versions], [b"1", b"2", b"3"])
    marker = s3.delete_object(**at)
    assert marker["DeleteMarker"]
    equal(refused(s3.get_object, **at)[0], "NoSuchKey")
    equal(refused(s3.get_object, **at, VersionId=marker["VersionId"])[1], 405)
    s3.delete_object(**at, VersionId=marker["VersionId"])
    equal(body(s3, **at), b"3")
    s3.copy_object(**at, CopySource={**at, "VersionId": versions[0]})
    equal(body(s3, **at), b"1")
    boto3.resource("s3").Bucket(name).object_versions.all().delete()
    s3.delete_bucket(Bucket=name)


def check_tags_and_configurations():
    s3 = client()
    name = bucket(s3, "boto-config")
    s3.put_object(Bucket=name, Key="k", Body=b"x", Tagging="a=1&b=two%20words")
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "two words"}]
    equal(s3.get_object_tagging(Bucket=name, Key="k")["TagSet"], tags)
    s3.put_object_tagging(Bucket=name, Key="k", Tagging={"TagSet": tags[:1]})
    equal(s3.get_object(Bucket=name, Key="k")["TagCount"], 1)
    s3.delete_object_tagging(Bucket=name, Key="k")
    equal(s3.get_object_tagging(Bucket=name, Key="k")["TagSet"], [])
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "p/"}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}}
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [rule]})
    equal(s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"], [rule])
    s3.delete_bucket_lifecycle(Bucket=name)
    equal(refused(s3.get_bucket_lifecycle_configuration, Bucket=name)[0], "NoSuchLifecycleConfiguration")
    equal(refused(s3.get_bucket_policy, Bucket=name)[0], "NoSuchBucketPolicy")
    equal(refused(s3.get_bucket_website, Bucket=name)[0], "NoSuchWebsiteConfiguration")
    equal(refused(s3.get_bucket_cors, Bucket=name)[0], "NoSuchCORSConfiguration")
    equal(refused(s3.get_bucket_tagging, Bucket=name)[0], "NoSuchTagSet")
    equal(refused(s3.put_object_legal_hold, Bucket=name, Key="k", LegalHold={"Status": "ON"}), ("NotImplemented", 501))


def fetch(url, method="GET", data=None, headers=None):
    request = urllib.request.Request(url, method=method, data=data, headers=headers or {})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def check_presigned_addresses():
    s3 = client(signature_version="s3v4")
    name = bucket(s3, "boto-presigned")
    for key in ODD_KEYS:
        at = {"Bucket": name, "Key": key}
        if key in ("..", "a/../b"):
            continue  # urllib and proxies may fold such paths
        put = s3.generate_presigned_url("put_object", Params=at, ExpiresIn=60)
        equal(fetch(put, "PUT", key.encode())[0], 200)
        get = s3.generate_presigned_url("get_object", Params={**at, "ResponseContentType": "a/b"}, ExpiresIn=60)
        equal(fetch(get), (200, key.encode()))
    at = {"Bucket": name, "Key": "typed", "ContentType": "text/x"}
    put = s3.generate_presigned_url("put_object", Params=at, ExpiresIn=60)
    equal(fetch(put, "PUT", b"x", {"Content-Type": "text/y"})[0], 403)
    equal(fetch(put, "PUT", b"x", {"Content-Type": "text/x"})[0], 200)
    status, text = fetch(s3.generate_presigned_url("list_objects_v2", Params={"Bucket": name}, ExpiresIn=60))
    equal(status, 200)
    assert b"<Key>typed</Key>" in text


def check_post_policies():
    s3 = client(signature_version="s3v4")
    name = bucket(s3, "boto-post")
    form = s3.generate_presigned_post(name, "up/${filename}", Conditions=[["content-length-range", 1, 20]], ExpiresIn=60)
    equal(post_form(form, "photo.txt", b"hello")[0], 204)
    equal(body(s3, Bucket=name, Key="up/photo.txt"), b"hello")
    status, text = post_form(form, "big", b"x" * 21)
    equal(status, 400)
    assert b"EntityTooLarge" in text, text
    equal(post_form({**form, "fields": {**form["fields"], "key": "elsewhere"}}, "x", b"hello")[0], 403)


def post_form(form, file_name, content):
    border = "border0123456789"
    parts = [f'--{border}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode() for key, value in form["fields"].items()]
    parts.append(f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="{file_name}"\r\n\r\n'.encode() + content)
    data = b"".join(parts) + f"\r\n--{border}--\r\n".encode()
    return fetch(form["url"], "POST", data, {"Content-Type": f"multipart/form-data; boundary={border}"})


def check_wrong_credentials():
    session = boto3.Session(aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"], aws_secret_access_key="wrong")
    equal(refused(session.client("s3").list_buckets), ("SignatureDoesNotMatch", 403))
    session = boto3.Session(aws_access_key_id="NOBODY", aws_secret_access_key="wrong")
    equal(refused(session.client("s3").list_buckets), ("InvalidAccessKeyId", 403))


if __name__ == "__main__":
    globals()["check_" + sys.argv[1]]()
