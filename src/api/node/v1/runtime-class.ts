import type { RuntimeClass } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { checkLabelName } from '../../meta/names.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkLabels } from '../../validation/labels.ts'
import { checkResources } from '../../validation/resources.ts'
import { checkTolerations } from '../../validation/tolerations.ts'

export const runtimeClasses: KindDefinition<RuntimeClass> = defineKind({
  group: 'node.k8s.io',
  version: 'v1',
  kind: 'RuntimeClass',
  plural: 'runtimeclasses',
  namespaced: false,
  schema: 'io.k8s.api.node.v1.RuntimeClass',
  columns: [
    { name: 'Handler', type: 'string', description: 'Configuration of the runtime that it stands for.', value: ({ handler }) => handler },
  ],
  strategy: {
    allowUnconditionalUpdate: false,
    validate: ({ handler, overhead, scheduling }) =>
      collectErrors((errors) => {
        errors.invalidEach('handler', handler ?? '', checkLabelName(handler ?? ''))
        checkResources(errors, 'overhead.podFixed', overhead?.podFixed ? { limits: overhead.podFixed } : undefined)
        checkLabels(errors, 'scheduling.nodeSelector', scheduling?.nodeSelector)
        checkTolerations(errors, 'scheduling.tolerations', scheduling?.tolerations)
      }),
    validateUpdate: (next, previous) => collectErrors((errors) => errors.immutable('handler', next.handler, previous.handler)),
  },
})
