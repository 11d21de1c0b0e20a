import type { CSIDriver } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { collectErrors } from '../../validation/field-errors.ts'

export const csiDrivers: KindDefinition<CSIDriver> = defineKind({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIDriver',
  plural: 'csidrivers',
  namespaced: false,
  schema: 'io.k8s.api.storage.v1.CSIDriver',
  columns: [
    {
      name: 'AttachRequired',
      type: 'boolean',
      description: 'Whether volumes are attached to nodes.',
      value: ({ spec }) => spec?.attachRequired ?? true,
    },
    {
      name: 'PodInfoOnMount',
      type: 'boolean',
      description: 'Whether the driver is told about pods.',
      value: ({ spec }) => spec?.podInfoOnMount ?? false,
    },
    {
      name: 'StorageCapacity',
      type: 'boolean',
      description: 'Whether it reports its capacity.',
      value: ({ spec }) => spec?.storageCapacity ?? false,
    },
    {
      name: 'TokenRequests',
      type: 'string',
      description: 'Audiences of the tokens it needs.',
      value: ({ spec }) => spec?.tokenRequests?.map((request) => request.audience).join(',') ?? '<unset>',
    },
    {
      name: 'RequiresRepublish',
      type: 'boolean',
      description: 'Whether mounts are renewed.',
      value: ({ spec }) => spec?.requiresRepublish ?? false,
    },
    {
      name: 'Modes',
      type: 'string',
      description: 'How volumes can come and go.',
      value: ({ spec }) => (spec?.volumeLifecycleModes ?? []).join(',') || '<none>',
    },
  ],
  strategy: {
    allowUnconditionalUpdate: false,
    validate: ({ spec }) =>
      collectErrors((errors) => {
        const seen = new Set<string>()
        spec?.tokenRequests?.forEach(({ audience, expirationSeconds }, i) => {
          if (seen.has(audience)) errors.duplicate(`spec.tokenRequests[${i}].audience`, audience)
          seen.add(audience)
          if (expirationSeconds !== undefined && expirationSeconds < 600) {
            errors.invalid(
              `spec.tokenRequests[${i}].expirationSeconds`,
              expirationSeconds,
              'may not specify a duration less than 10 minutes',
            )
          }
        })
      }),
    validateUpdate: (next, previous) =>
      collectErrors((errors) => {
        for (const key of ['attachRequired', 'fsGroupPolicy', 'volumeLifecycleModes'] as const) {
          errors.immutable(`spec.${key}`, next.spec?.[key], previous.spec?.[key])
        }
      }),
  },
})
