import type { GatewayStatus } from '../../../api/gateway.networking.k8s.io/v1/gateway.ts'
import type { ListenerStatus } from '../../../api/gateway.networking.k8s.io/v1/listener.ts'
import {
  isListenerUsable,
  type JudgedGateway,
  type ListenerJudgement,
  type Problem,
  type TranslatedGatewayApi,
} from '../../../policy/traffic/gateway-api/index.ts'
import type { ProgrammedAnswer, StatusSources } from './plan-status.ts'
import { conditionOf, withConditions, type WantedCondition } from './status-conditions.ts'

/** Status of a Gateway of ours. */
export function planGatewayStatus(judged: JudgedGateway, translated: TranslatedGatewayApi, sources: StatusSources): GatewayStatus {
  const { gateway, listeners } = judged
  const { generation, namespace = '', name } = gateway.metadata
  const addresses = sources.addresses({ namespace, name })
  const accepted = acceptedOf(judged)
  const usable = listeners.some(isListenerUsable)
  const programmed = accepted.status === 'True' && usable ? programmedOf(judged, addresses, sources) : undefined
  const programmedProblem: Problem | undefined =
    accepted.status !== 'True'
      ? { reason: 'Invalid', message: accepted.message }
      : !usable
        ? { reason: 'Invalid', message: 'No listener can be served' }
        : programmed
  const backend = translated.backendCertificates.get(`${namespace}/${name}`)
  const wanted: WantedCondition[] = [
    accepted,
    conditionOf('Programmed', programmedProblem, { reason: 'Programmed', message: 'Proxies serve the gateway' }),
    ...(backend ? [conditionOf('ResolvedRefs', backend.problem, { reason: 'ResolvedRefs', message: 'All references are there' })] : []),
  ]
  const previous = (gateway.status?.conditions ?? []).filter(({ type }) => backend || type !== 'ResolvedRefs')
  const { addresses: _, ...rest } = gateway.status ?? {}
  return {
    ...rest,
    ...(addresses.length > 0
      ? { addresses: addresses.map((value) => ({ type: isHostname(value) ? 'Hostname' : 'IPAddress', value })) }
      : {}),
    conditions: withConditions(previous, wanted, generation, sources.now),
    listeners: listeners.map((listener) => listenerStatus(listener, judged, translated, programmedProblem, sources.now)),
  }
}

const isHostname = (address: string): boolean => /[a-z]/i.test(address) && !address.includes(':')

function acceptedOf({ gateway, listeners }: JudgedGateway): WantedCondition {
  const refuse = (reason: string, message: string): WantedCondition => ({ type: 'Accepted', status: 'False', reason, message })
  if (gateway.spec.infrastructure?.parametersRef) return refuse('InvalidParameters', 'Gateways of this controller take no parametersRef')
  const address = gateway.spec.addresses?.find(({ type = 'IPAddress' }) => type !== 'IPAddress')
  if (address) return refuse('UnsupportedAddress', `An address of type ${address.type} cannot be had; use IPAddress`)
  const broken = listeners.filter(({ accepted }) => accepted)
  if (broken.length === 0) return { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'The gateway is looked after' }
  const message = `Listeners that cannot be served: ${broken.map(({ listener }) => listener.name).join(', ')}`
  return { type: 'Accepted', status: broken.length === listeners.length ? 'False' : 'True', reason: 'ListenersNotValid', message }
}

function programmedOf({ gateway }: JudgedGateway, addresses: readonly string[], sources: StatusSources): Problem | undefined {
  const asked = (gateway.spec.addresses ?? []).flatMap(({ value }) => (value ? [value] : []))
  if (addresses.length === 0) {
    return asked.length > 0
      ? { reason: 'AddressNotUsable', message: `Address ${asked.join(', ')} was not given to the gateway` }
      : { reason: 'AddressNotAssigned', message: 'The gateway has no address yet' }
  }
  const missing = asked.find((one) => !addresses.includes(one))
  if (missing) return { reason: 'AddressNotUsable', message: `Address ${missing} was not given to the gateway` }
  const answer: ProgrammedAnswer = sources.programmed('Gateway', gateway)
  return answer.ok ? undefined : { reason: 'Pending', message: answer.message }
}

function listenerStatus(
  judged: ListenerJudgement,
  { gateway }: JudgedGateway,
  translated: TranslatedGatewayApi,
  gatewayProblem: Problem | undefined,
  now: string,
): ListenerStatus {
  const { listener, supportedKinds, accepted, resolvedRefs, conflicted } = judged
  const { namespace, name, generation } = gateway.metadata
  const attachedRoutes = translated.judgedRoutes.filter(({ parents }) =>
    parents.some((parent) =>
      parent.parents.some(
        (one) => one.type === 'gateway' && one.namespace === namespace && one.name === name && one.section === listener.name,
      ),
    ),
  ).length
  const own: Problem | undefined = isListenerUsable(judged)
    ? undefined
    : { reason: 'Invalid', message: (accepted ?? resolvedRefs)?.message ?? 'The listener cannot be served' }
  const pending = gatewayProblem && { reason: 'Pending', message: gatewayProblem.message }
  const conflict: WantedCondition = conflicted
    ? { type: 'Conflicted', status: 'True', ...conflicted }
    : { type: 'Conflicted', status: 'False', reason: 'NoConflicts', message: 'No other listener is in the way' }
  const previous = gateway.status?.listeners?.find((one) => one.name === listener.name)
  return {
    name: listener.name,
    supportedKinds: supportedKinds.map((kind) => ({ ...kind })),
    attachedRoutes,
    conditions: withConditions(
      previous?.conditions,
      [
        conditionOf('Accepted', accepted, { reason: 'Accepted', message: 'The listener is valid' }),
        conflict,
        conditionOf('ResolvedRefs', resolvedRefs, { reason: 'ResolvedRefs', message: 'All references are there' }),
        conditionOf('Programmed', own ?? pending, { reason: 'Programmed', message: 'Proxies serve the listener' }),
      ],
      generation,
      now,
    ),
  }
}
