import type { Secret } from '../../generated/types.ts'
import { defineKind, type KindDefinition, type Strategy } from '../../kind.ts'
import { checkDataKeys, checkFrozen, decodedBytes, MAX_DATA_BYTES } from '../../validation/config-data.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'

const SERVICE_ACCOUNT = 'kubernetes.io/service-account.name'

/** Keys that secrets of a type must have. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
}

const strategy: Strategy<Secret> = {
  setDefaults(secret) {
    if (!secret.stringData) return
    // plain text is for writing only and wins over what is there
    const added = Object.entries(secret.stringData).map(([key, text]) => [key, Buffer.from(text).toString('base64')])
    secret.data = { ...secret.data, ...Object.fromEntries(added) }
    secret.stringData = undefined
  },
  prepareForUpdate(next, previous) {
    next.type ||= previous.type
  },
  validate: (secret) => collectErrors((errors) => checkSecret(errors, secret)),
  validateUpdate: (next, previous) =>
    collectErrors((errors) => {
      errors.immutable('type', next.type, previous.type)
      checkFrozen(errors, next, previous)
    }),
}

export const secrets: KindDefinition<Secret> = defineKind({
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  namespaced: true,
  schema: 'io.k8s.api.core.v1.Secret',
  columns: [
    { name: 'Type', type: 'string', description: 'What the secret is for.', value: ({ type }) => type ?? '' },
    { name: 'Data', type: 'string', description: 'Number of keys.', value: ({ data }) => Object.keys(data ?? {}).length },
  ],
  fieldSelectors: { type: ({ type }) => type ?? '' },
  strategy,
})

function checkSecret(errors: FieldErrors, secret: Secret): void {
  const data = secret.data ?? {}
  checkDataKeys(errors, 'data', data)
  if (decodedBytes(data) > MAX_DATA_BYTES) errors.tooLong('data', MAX_DATA_BYTES)
  const type = secret.type ?? ''
  for (const key of NEEDED[type] ?? []) {
    // a key pair may have empty parts, an SSH key may not be empty
    if (data[key] === undefined || (type === 'kubernetes.io/ssh-auth' && data[key] === '')) errors.required(`data[${key}]`)
    else if (key.startsWith('.docker')) checkJson(errors, `data[${key}]`, data[key])
  }
  if (type === 'kubernetes.io/basic-auth' && data.username === undefined && data.password === undefined) {
    errors.required('data[username]')
    errors.required('data[password]')
  }
  if (type === 'kubernetes.io/service-account-token' && !secret.metadata.annotations?.[SERVICE_ACCOUNT]) {
    errors.required(`metadata.annotations[${SERVICE_ACCOUNT}]`)
  }
}

function checkJson(errors: FieldErrors, field: string, encoded: string): void {
  try {
    JSON.parse(Buffer.from(encoded, 'base64').toString())
  } catch {
    errors.invalid(field, '<secret contents redacted>', 'must be valid JSON')
  }
}
