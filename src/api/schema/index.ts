// The structure of every kind, and the walker that each write goes through.
//
//   resolveSchema(name)            a Schema by upstream's name, parsed on first use from src/api/generated/schemas.ts
//   admit(schema, value, options)  checks JSON types, canonical quantities and times, drops nulls and unknown fields, sets
//                                  defaults; one pass, in place
//   applyDefaults(schema, value)   the defaults alone
//   validateSchema(schema, value)  required fields and enums, as field errors of a 422
//   patchSchemaOf(name)            merge keys and strategies for strategic merge patch
//   propertyAt(schema, path)       one field: list type, map keys, enum
//
// A write runs: admit (400 on `errors` with decodeErrorText; on `unknown` under Strict with strictDecodingText, under Warn as
// headers from fieldWarnings) -> strategy.setDefaults -> validateSchema and strategy.validate together (422; both may report
// the same required field, so drop what repeats a type and field).
// What depends on more than one field (image pull policy, target ports) is a strategy's, not the schema's.
export { propertyAt, type ArraySchema, type Default, type MapSchema, type ObjectSchema, type Property } from './schema.ts'
export type { ScalarSchema, ScalarType, Schema } from './schema.ts'
export { resolveSchema, schemaNames } from './resolve-schema.ts'
export { admit, type Admitted, type AdmitOptions, type DecodeError } from './admit.ts'
export { applyDefaults } from './defaults.ts'
export { validateSchema } from './validate.ts'
export { decodeErrorText, fieldWarnings, strictDecodingText, type DecodedAs } from './decode-text.ts'
export { patchSchemaOf, type PatchSchema, type PatchStrategy } from './patch-schema.ts'
