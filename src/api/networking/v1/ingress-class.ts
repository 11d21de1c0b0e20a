import type { IngressClass, IngressClassSpec } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { checkLabelName, checkPathSegmentName, checkSubdomainName } from '../../meta/names.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'

const MAX_CONTROLLER = 250
/** Characters of a path as in RFC 3986. */
const HTTP_PATH = /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/

export const ingressClasses: KindDefinition<IngressClass> = defineKind({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IngressClass',
  plural: 'ingressclasses',
  namespaced: false,
  schema: 'io.k8s.api.networking.v1.IngressClass',
  columns: [
    {
      name: 'Controller',
      type: 'string',
      description: 'Controller that is responsible for handling this class',
      value: ({ spec }) => spec?.controller ?? '',
    },
    { name: 'Parameters', type: 'string', description: 'A reference to a resource with additional parameters', value: parametersCell },
  ],
  strategy: {
    validate: ({ spec }) => collectErrors((errors) => checkClass(errors, spec ?? {})),
    validateUpdate: (next, previous) =>
      collectErrors((errors) => errors.immutable('spec.controller', next.spec?.controller, previous.spec?.controller)),
  },
})

function parametersCell({ spec }: IngressClass): string {
  const parameters = spec?.parameters
  if (!parameters) return '<none>'
  return `${parameters.kind}${parameters.apiGroup === undefined ? '' : `.${parameters.apiGroup}`}/${parameters.name}`
}

function checkClass(errors: FieldErrors, { controller, parameters }: IngressClassSpec): void {
  checkController(errors, controller ?? '')
  if (!parameters) return
  const field = 'spec.parameters'
  if (parameters.apiGroup) errors.invalidEach(`${field}.apiGroup`, parameters.apiGroup, checkSubdomainName(parameters.apiGroup))
  for (const key of ['kind', 'name'] as const) {
    if (!parameters[key]) errors.required(`${field}.${key}`, `${key} is required`)
    else errors.invalidEach(`${field}.${key}`, parameters[key], checkPathSegmentName(parameters[key]))
  }
  if (parameters.scope === 'Namespace') {
    if (!parameters.namespace) errors.required(`${field}.namespace`, "`parameters.scope` is set to 'Namespace'")
    else errors.invalidEach(`${field}.namespace`, parameters.namespace, checkLabelName(parameters.namespace))
  } else if (parameters.namespace !== undefined) {
    errors.forbidden(`${field}.namespace`, "`parameters.scope` is set to 'Cluster'")
  }
}

function checkController(errors: FieldErrors, controller: string): void {
  const field = 'spec.controller'
  if (controller.length > MAX_CONTROLLER) errors.tooLong(field, MAX_CONTROLLER)
  if (controller === '') return errors.required(field)
  const slash = controller.indexOf('/')
  const [domain, path] = [controller.slice(0, Math.max(slash, 0)), controller.slice(slash + 1)]
  if (slash < 1 || path === '') return errors.invalid(field, controller, 'must be a domain-prefixed path (such as "acme.io/foo")')
  errors.invalidEach(field, domain, checkSubdomainName(domain))
  if (!HTTP_PATH.test(path)) errors.invalid(field, path, "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')")
}
