import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import protobuf from 'protobufjs'

const require = createRequire(import.meta.url)

/** What the tests talk about. */
export const PROTO = `
syntax = "proto3";
package shop.v1;
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

enum Color { COLOR_UNKNOWN = 0; RED = 1; BLUE = -2; }
message Inner { string text = 1; Inner child = 2; int32 count = 3; }
message All {
  double a_double = 1; float a_float = 2; int32 an_int32 = 3; int64 an_int64 = 4; uint32 a_uint32 = 5; uint64 a_uint64 = 6;
  sint32 a_sint32 = 7; sint64 a_sint64 = 8; fixed32 a_fixed32 = 9; fixed64 a_fixed64 = 10; sfixed32 a_sfixed32 = 11; sfixed64 a_sfixed64 = 12;
  bool a_bool = 13; string a_string = 14; bytes some_bytes = 15; Color color = 16; Inner inner = 17;
  repeated int32 ints = 21; repeated sint64 longs = 22; repeated double doubles = 23; repeated string strings = 24; repeated Inner inners = 25;
  repeated Color colors = 26; repeated bool bools = 27; repeated fixed32 fixeds = 28; repeated int32 loose = 29 [packed = false];
  map<string, int32> counts = 31; map<int64, string> names = 32; map<bool, Inner> sides = 33; map<string, Color> paints = 34; map<sint32, string> ids = 35;
  oneof choice { string one_text = 41; int32 one_number = 42; Inner one_inner = 43; }
  optional int32 maybe = 51; optional string maybe_text = 52;
}
message Known {
  google.protobuf.Timestamp time = 1; google.protobuf.Duration span = 2; google.protobuf.FieldMask mask = 3; google.protobuf.Struct object = 4;
  google.protobuf.Value value = 5; google.protobuf.ListValue list = 6; google.protobuf.Any any = 7; google.protobuf.Empty empty = 8;
  google.protobuf.Int64Value wrapped_long = 9; google.protobuf.StringValue wrapped_text = 10; google.protobuf.BoolValue wrapped_bool = 11;
  google.protobuf.NullValue nothing = 12; google.protobuf.BytesValue wrapped_bytes = 13; repeated google.protobuf.Int32Value wrapped_list = 14;
  google.protobuf.DoubleValue wrapped_double = 15;
}
message Book { string name = 1; string title = 2; int64 pages = 3; Color color = 4; repeated string tags = 5; Book next = 6; bool is_open = 7; google.protobuf.Timestamp read_at = 8; }
message GetBookRequest { string name = 1; string view_mode = 2; repeated int32 pages = 3; Book filter = 4; bool deep = 5; google.protobuf.Duration max_age = 6; }
message PutBookRequest { string shelf = 1; Book book = 2; bool dry_run = 3; }
message Books { repeated Book books = 1; string next_token = 2; }
message File { string name = 1; google.api.HttpBody body = 2; }
service Library {
  rpc GetBook(GetBookRequest) returns (Book);
  rpc PutBook(PutBookRequest) returns (Book);
  rpc AddBook(Book) returns (Book);
  rpc ListBooks(GetBookRequest) returns (Books);
  rpc WatchBooks(GetBookRequest) returns (stream Book);
  rpc SendBooks(stream Book) returns (Books);
  rpc Plain(Book) returns (Book);
  rpc PutFile(File) returns (google.api.HttpBody);
  rpc GetFile(File) returns (File);
}
`

/** google.api.http of the methods. */
export const RULES: Readonly<Record<string, unknown>> = {
  GetBook: {
    get: '/v1/{name=shelves/*/books/*}',
    additionalBindings: [{ get: '/v1/any/{name=**}' }, { custom: { kind: 'FIND', path: '/v1/find/{filter.title}' } }],
  },
  PutBook: {
    put: '/v1/shelves/{shelf}/books/{book.name}',
    body: 'book',
    additionalBindings: [{ patch: '/v1/shelves/{shelf}:move', body: '*' }],
  },
  AddBook: { post: '/v1/books', body: '*' },
  ListBooks: { get: '/v1/books', responseBody: 'books' },
  WatchBooks: { get: '/v1/books:watch' },
  PutFile: { put: '/v1/files/{name}', body: 'body' },
  GetFile: { get: '/v1/files/{name}', responseBody: 'body' },
  SendBooks: { post: '/v1/books:send', body: '*' },
}

/** protobufjs' own view of the messages: the oracle. */
export const oracle: protobuf.Root = protobuf.parse(PROTO, new protobuf.Root(), { keepCase: true }).root
for (const name of ['any', 'duration', 'empty', 'field_mask', 'struct', 'timestamp', 'wrappers']) {
  const bundled = protobuf.common.get(`google/protobuf/${name}.proto`)
  oracle.addJSON((bundled as unknown as { nested: Record<string, never> }).nested)
}
protobuf.parse('syntax = "proto3"; package google.api; message HttpBody { string content_type = 1; bytes data = 2; }', oracle, {
  keepCase: true,
})
oracle.resolveAll()

const TYPES = [
  '',
  'double',
  'float',
  'int64',
  'uint64',
  'int32',
  'fixed64',
  'fixed32',
  'bool',
  'string',
  '',
  '',
  'bytes',
  'uint32',
  '',
  'sfixed32',
  'sfixed64',
  'sint32',
  'sint64',
]

function fieldOf(field: protobuf.Field, oneofs: readonly string[]): unknown {
  const { resolvedType } = field
  const isEnum = resolvedType instanceof protobuf.Enum
  const type = resolvedType ? (isEnum ? 14 : 11) : TYPES.indexOf(field.type)
  const isOptional = field.options?.['proto3_optional'] === true
  const packed = field.options?.['packed'] as boolean | undefined
  const oneof = field.partOf && !isOptional ? oneofs.indexOf(field.partOf.name) : -1
  return {
    name: field.name,
    number: field.id,
    label: field.repeated ? 3 : 1,
    type,
    ...(resolvedType ? { typeName: resolvedType.fullName } : {}),
    ...(isOptional ? { proto3Optional: true } : {}),
    ...(oneof >= 0 ? { oneofIndex: oneof } : {}),
    ...(packed === undefined ? {} : { options: { packed } }),
  }
}

/** Entries of maps are messages of their own in descriptors. */
function messageOf(type: protobuf.Type): unknown {
  const oneofs = type.oneofsArray.map(({ name }) => name)
  const entries: unknown[] = []
  const fields = type.fieldsArray.map((field) => {
    field.resolve()
    if (!(field instanceof protobuf.MapField)) return fieldOf(field, oneofs)
    const name = `${field.name[0]?.toUpperCase()}${field.name.slice(1)}Entry`
    const value = { ...(fieldOf(field, []) as object), name: 'value', number: 2, label: 1 }
    entries.push({
      name,
      field: [{ name: 'key', number: 1, label: 1, type: TYPES.indexOf(field.keyType) }, value],
      options: { mapEntry: true },
    })
    return { name: field.name, number: field.id, label: 3, type: 11, typeName: `${type.fullName}.${name}` }
  })
  return {
    name: type.name,
    field: fields,
    nestedType: [...type.nestedArray.filter((one) => one instanceof protobuf.Type).map(messageOf), ...entries],
    oneofDecl: oneofs.map((name) => ({ name })),
  }
}

/** The messages above as protoc would describe them, with the rules. */
export function descriptorSet(rules: Readonly<Record<string, unknown>> = RULES): Uint8Array {
  const home = oracle.lookup('shop.v1') as protobuf.Namespace
  const of = home.nestedArray
  const file = {
    name: 'shop.proto',
    package: 'shop.v1',
    syntax: 'proto3',
    messageType: of.filter((one) => one instanceof protobuf.Type).map(messageOf),
    enumType: of
      .filter((one) => one instanceof protobuf.Enum)
      .map((one) => ({ name: one.name, value: Object.entries(one.values).map(([name, number]) => ({ name, number })) })),
    service: of
      .filter((one) => one instanceof protobuf.Service)
      .map((service) => ({
        name: service.name,
        method: service.methodsArray
          .map((method) => method.resolve() as protobuf.Method)
          .map((method) => ({
            name: method.name,
            inputType: method.resolvedRequestType?.fullName,
            outputType: method.resolvedResponseType?.fullName,
            clientStreaming: method.requestStream === true,
            serverStreaming: method.responseStream === true,
            ...(rules[method.name] === undefined ? {} : { options: { '.google.api.http': rules[method.name] } }),
          })),
      })),
  }
  const set = descriptorRoot().lookupType('google.protobuf.FileDescriptorSet')
  return set
    .encode(
      set.fromObject({
        file: [
          file,
          {
            name: 'httpbody.proto',
            package: 'google.api',
            syntax: 'proto3',
            messageType: [messageOf(oracle.lookupType('google.api.HttpBody'))],
          },
        ],
      }),
    )
    .finish()
}

let known: protobuf.Root | undefined

/** descriptor.proto and google.api.http. */
function descriptorRoot(): protobuf.Root {
  if (known) return known
  const apis = join(dirname(require.resolve('@grpc/grpc-js-xds/package.json')), 'deps', 'googleapis')
  const bundled = dirname(require.resolve('protobufjs/package.json'))
  const root = new protobuf.Root()
  root.resolvePath = (_, file) => [join(apis, file), join(bundled, file)].find((path) => existsSync(path)) ?? null
  root.loadSync('google/api/annotations.proto')
  root.resolveAll()
  known = root
  return root
}
