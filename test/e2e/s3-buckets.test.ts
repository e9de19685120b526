import {
  CreateBucketCommand,
  DeleteBucketLifecycleCommand,
  DeleteBucketPolicyCommand,
  DeleteBucketTaggingCommand,
  DeleteObjectTaggingCommand,
  GetBucketAclCommand,
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketNotificationConfigurationCommand,
  GetBucketOwnershipControlsCommand,
  GetBucketPolicyCommand,
  GetBucketPolicyStatusCommand,
  GetBucketReplicationCommand,
  GetBucketRequestPaymentCommand,
  GetBucketTaggingCommand,
  GetBucketWebsiteCommand,
  GetObjectAclCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  GetObjectLockConfigurationCommand,
  GetObjectTaggingCommand,
  GetPublicAccessBlockCommand,
  PutBucketAclCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketTaggingCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type S3Process, startS3 } from "../support/s3-process.ts";

const Bucket = "settings";
const Key = "k";
let s3: S3Process;

beforeAll(async () => {
  s3 = await startS3();
  await s3.client.send(new CreateBucketCommand({ Bucket }));
  await s3.client.send(new PutObjectCommand({ Bucket, Key, Body: "bytes", Tagging: "first=1&second=a%20b" }));
});
afterAll(() => s3.stop());

async function nameOf(action: Promise<unknown>): Promise<string> {
  return action.then(
    () => "none",
    (error: { name: string }) => error.name,
  );
}

describe("tags", () => {
  it("come with an upload, are counted when it is read, and are replaced as a whole", async () => {
    expect((await s3.client.send(new GetObjectCommand({ Bucket, Key }))).TagCount).toBe(2);
    const tags = async () => (await s3.client.send(new GetObjectTaggingCommand({ Bucket, Key }))).TagSet;
    expect(await tags()).toEqual([
      { Key: "first", Value: "1" },
      { Key: "second", Value: "a b" },
    ]);
    await s3.client.send(
      new PutObjectTaggingCommand({ Bucket, Key, Tagging: { TagSet: [{ Key: "<&>", Value: "" }] } }),
    );
    expect(await tags()).toEqual([{ Key: "<&>", Value: "" }]);
    await s3.client.send(new DeleteObjectTaggingCommand({ Bucket, Key }));
    expect(await tags()).toEqual([]);
    expect(await nameOf(s3.client.send(new GetObjectTaggingCommand({ Bucket, Key: "none" })))).toBe("NoSuchKey");
  });

  it("of a bucket are there until they are removed", async () => {
    const TagSet = [{ Key: "team", Value: "lab" }];
    expect(await nameOf(s3.client.send(new GetBucketTaggingCommand({ Bucket })))).toBe("NoSuchTagSet");
    await s3.client.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
    expect((await s3.client.send(new GetBucketTaggingCommand({ Bucket }))).TagSet).toEqual(TagSet);
    await s3.client.send(new DeleteBucketTaggingCommand({ Bucket }));
    expect(await nameOf(s3.client.send(new GetBucketTaggingCommand({ Bucket })))).toBe("NoSuchTagSet");
  });
});

it("keeps a lifecycle, and refuses one that it could not carry out", async () => {
  const Rules = [
    { ID: "old", Status: "Enabled", Filter: { Prefix: "tmp/" }, Expiration: { Days: 3 } },
    {
      ID: "cut",
      Status: "Disabled",
      Filter: { Prefix: "" },
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
    },
  ] as const;
  const put = (rules: object[]) =>
    s3.client.send(
      new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules: rules as never } }),
    );
  const read = () => s3.client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
  expect(await nameOf(read())).toBe("NoSuchLifecycleConfiguration");
  await put([...Rules]);
  expect((await read()).Rules).toMatchObject(Rules);
  const glacier = { ...Rules[0], ID: "cold", Transitions: [{ Days: 1, StorageClass: "GLACIER" }] };
  expect(await nameOf(put([glacier]))).toBe("NotImplemented");
  expect((await read()).Rules).toHaveLength(2);
  await s3.client.send(new DeleteBucketLifecycleCommand({ Bucket }));
  expect(await nameOf(read())).toBe("NoSuchLifecycleConfiguration");
});

it("keeps a policy and notifications as they were sent", async () => {
  const Policy =
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}]}';
  expect(await nameOf(s3.client.send(new GetBucketPolicyCommand({ Bucket })))).toBe("NoSuchBucketPolicy");
  expect(await nameOf(s3.client.send(new PutBucketPolicyCommand({ Bucket, Policy: "{" })))).toBe("MalformedPolicy");
  await s3.client.send(new PutBucketPolicyCommand({ Bucket, Policy }));
  expect((await s3.client.send(new GetBucketPolicyCommand({ Bucket }))).Policy).toBe(Policy);
  await s3.client.send(new DeleteBucketPolicyCommand({ Bucket }));
  expect(await nameOf(s3.client.send(new GetBucketPolicyCommand({ Bucket })))).toBe("NoSuchBucketPolicy");
  const queue = { QueueArn: "arn:aws:sqs:us-east-1:1:q", Events: ["s3:ObjectCreated:*" as const] };
  const before = await s3.client.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
  expect(before.QueueConfigurations).toBeUndefined();
  const NotificationConfiguration = { QueueConfigurations: [queue] };
  await s3.client.send(new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration }));
  const after = await s3.client.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
  expect(after.QueueConfigurations).toMatchObject([queue]);
});

it("answers access control lists as private, and takes no other", async () => {
  const acl = await s3.client.send(new GetBucketAclCommand({ Bucket }));
  expect(acl.Grants).toMatchObject([{ Permission: "FULL_CONTROL", Grantee: { Type: "CanonicalUser" } }]);
  expect((await s3.client.send(new GetObjectAclCommand({ Bucket, Key }))).Owner?.ID).toBe(acl.Owner?.ID);
  expect(await nameOf(s3.client.send(new PutBucketAclCommand({ Bucket, ACL: "private" })))).toBe("none");
  expect(await nameOf(s3.client.send(new PutObjectAclCommand({ Bucket, Key, ACL: "private" })))).toBe("none");
  const open = new PutBucketAclCommand({ Bucket, ACL: "public-read" });
  expect(await nameOf(s3.client.send(open))).toBe("AccessControlListNotSupported");
  const { Owner, Grants = [] } = acl;
  const putBack = (grants: typeof Grants) =>
    nameOf(s3.client.send(new PutObjectAclCommand({ Bucket, Key, AccessControlPolicy: { Owner, Grants: grants } })));
  expect(await putBack(Grants)).toBe("none");
  const URI = "http://acs.amazonaws.com/groups/global/AllUsers";
  const everybody = { Permission: "READ" as const, Grantee: { Type: "Group" as const, URI } };
  expect(await putBack([...Grants, everybody])).toBe("AccessControlListNotSupported");
});

it("says what is not configured as S3 does", async () => {
  const ask = (command: unknown) => nameOf(s3.client.send(command as GetBucketAclCommand));
  expect(await ask(new GetBucketEncryptionCommand({ Bucket }))).toBe("ServerSideEncryptionConfigurationNotFoundError");
  expect(await ask(new GetBucketReplicationCommand({ Bucket }))).toBe("ReplicationConfigurationNotFoundError");
  expect(await ask(new GetBucketWebsiteCommand({ Bucket }))).toBe("NoSuchWebsiteConfiguration");
  expect(await ask(new GetObjectLockConfigurationCommand({ Bucket }))).toBe("ObjectLockConfigurationNotFoundError");
  expect(await ask(new GetPublicAccessBlockCommand({ Bucket }))).toBe("NoSuchPublicAccessBlockConfiguration");
  const ownership = await s3.client.send(new GetBucketOwnershipControlsCommand({ Bucket }));
  expect(ownership.OwnershipControls?.Rules).toEqual([{ ObjectOwnership: "BucketOwnerEnforced" }]);
  expect((await s3.client.send(new GetBucketRequestPaymentCommand({ Bucket }))).Payer).toBe("BucketOwner");
  expect((await s3.client.send(new GetBucketPolicyStatusCommand({ Bucket }))).PolicyStatus?.IsPublic).toBe(false);
});

it("tells the attributes of an object that were asked for", async () => {
  await s3.client.send(new PutObjectCommand({ Bucket, Key: "attr", Body: "bytes", ChecksumAlgorithm: "SHA256" }));
  const ask = { Bucket, Key: "attr" };
  const some = await s3.client.send(
    new GetObjectAttributesCommand({ ...ask, ObjectAttributes: ["ETag", "ObjectSize", "Checksum"] }),
  );
  expect(some).toMatchObject({ ObjectSize: 5, ETag: expect.any(String) });
  expect(some.Checksum).toMatchObject({ ChecksumType: "FULL_OBJECT", ChecksumSHA256: expect.any(String) });
  expect(some.StorageClass).toBeUndefined();
  expect(
    await nameOf(s3.client.send(new GetObjectAttributesCommand({ ...ask, Key: "no", ObjectAttributes: ["ETag"] }))),
  ).toBe("NoSuchKey");
});
