import type { PodTemplate } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { formatLabels, nameColumn } from '../../print/columns.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkPodTemplate } from '../../validation/pod-template.ts'
import { setTemplateDefaults } from './pod-defaults.ts'

export const podTemplates: KindDefinition<PodTemplate> = defineKind<PodTemplate>({
  group: '',
  version: 'v1',
  kind: 'PodTemplate',
  plural: 'podtemplates',
  namespaced: true,
  schema: 'io.k8s.api.core.v1.PodTemplate',
  ownColumns: true,
  columns: [
    nameColumn,
    {
      name: 'Containers',
      type: 'string',
      description: 'Names of each container in the template.',
      value: ({ template }) => (template?.spec?.containers ?? []).map((container) => container.name).join(','),
    },
    {
      name: 'Images',
      type: 'string',
      description: 'Images referenced by each container in the template.',
      value: ({ template }) => (template?.spec?.containers ?? []).map((container) => container.image ?? '').join(','),
    },
    {
      name: 'Pod Labels',
      type: 'string',
      description: 'The labels for the pod template.',
      value: ({ template }) => formatLabels(template?.metadata?.labels),
    },
  ],
  strategy: {
    setDefaults: ({ template }) => setTemplateDefaults(template),
    validate: ({ template }) => collectErrors((errors) => checkPodTemplate(errors, 'template', template ?? {})),
  },
})
