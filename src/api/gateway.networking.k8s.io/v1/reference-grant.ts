import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkBounds } from './gateway-bounds.ts'
import { GATEWAY_GROUP } from './references.ts'
import { servedAs } from './served-version.ts'

/** Objects of other namespaces may refer to objects of this one. */
export interface ReferenceGrant extends KubeObject {
  spec: {
    from: { group: string; kind: string; namespace: string }[]
    /** Without a name: all of the kind. */
    to: { group: string; kind: string; name?: string | undefined }[]
  }
}

const SCHEMA = 'io.k8s.api.gateway.v1.ReferenceGrant'

export const referenceGrants: KindDefinition<ReferenceGrant> = defineKind<ReferenceGrant>({
  group: GATEWAY_GROUP,
  version: 'v1',
  kind: 'ReferenceGrant',
  plural: 'referencegrants',
  shortNames: ['refgrant'],
  categories: ['gateway-api'],
  namespaced: true,
  schema: SCHEMA,
  strategy: { validate: (object) => collectErrors((errors) => checkBounds(errors, SCHEMA, '', object)) },
})

export const referenceGrantsV1beta1: KindDefinition<ReferenceGrant> = servedAs(referenceGrants, 'v1beta1')
