import type { VolumeAttachment } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { checkSubdomainName } from '../../meta/names.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkVolumeSpec } from '../../validation/persistent-volume.ts'

export const volumeAttachments: KindDefinition<VolumeAttachment> = defineKind({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttachment',
  plural: 'volumeattachments',
  namespaced: false,
  schema: 'io.k8s.api.storage.v1.VolumeAttachment',
  status: true,
  columns: [
    { name: 'Attacher', type: 'string', format: 'name', description: 'Who attaches it.', value: ({ spec }) => spec?.attacher ?? '' },
    { name: 'PV', type: 'string', description: 'Volume that is attached.', value: ({ spec }) => spec?.source?.persistentVolumeName ?? '' },
    { name: 'Node', type: 'string', description: 'Node it is attached to.', value: ({ spec }) => spec?.nodeName ?? '' },
    { name: 'Attached', type: 'boolean', description: 'Whether it is attached.', value: ({ status }) => status?.attached ?? false },
  ],
  strategy: {
    allowUnconditionalUpdate: false,
    prepareForCreate(attachment) {
      attachment.status = { attached: false }
    },
    validate: (attachment) => collectErrors((errors) => checkAttachment(errors, attachment)),
    validateUpdate: (next, previous) => collectErrors((errors) => errors.immutable('spec', next.spec, previous.spec)),
  },
})

function checkAttachment(errors: FieldErrors, { spec }: VolumeAttachment): void {
  if (!spec?.attacher) errors.required('spec.attacher')
  else errors.invalidEach('spec.attacher', spec.attacher, checkSubdomainName(spec.attacher.toLowerCase()))
  if (!spec?.nodeName) errors.required('spec.nodeName')
  else errors.invalidEach('spec.nodeName', spec.nodeName, checkSubdomainName(spec.nodeName))
  const { inlineVolumeSpec, persistentVolumeName } = spec?.source ?? {}
  if (inlineVolumeSpec && persistentVolumeName !== undefined) {
    errors.forbidden('spec.source', 'must specify exactly one of inlineVolumeSpec and persistentVolumeName')
  } else if (inlineVolumeSpec) {
    checkVolumeSpec(errors, 'spec.source.inlineVolumeSpec', inlineVolumeSpec)
  } else if (persistentVolumeName === '') {
    errors.required('spec.source.persistentVolumeName', 'must specify non empty persistentVolumeName')
  } else if (persistentVolumeName === undefined) {
    errors.required('spec.source', 'must specify exactly one of inlineVolumeSpec and persistentVolumeName')
  }
}
