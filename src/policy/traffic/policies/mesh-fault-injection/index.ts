/** Calls that fail on purpose, drawn one by one. A caller gets the faults of the most exact rule that means it, and no others. */
import type { PolicyPlugin } from '../../input/index.ts'
import type { Fault, FaultFilter, HttpConnectionManager } from '../../model/index.ts'
import { mergeConfs } from '../../kuma/merging.ts'

/** Milliseconds, percentages, bytes per second. */
export interface FaultInjectionConf {
  readonly http?: readonly {
    readonly abort?: { readonly httpStatus: number; readonly percentage?: number }
    readonly delay?: { readonly value?: number; readonly percentage?: number }
    readonly responseBandwidth?: { readonly limit?: number; readonly percentage?: number }
  }[]
}

export const FAULT_FILTER = 'mesh-fault-injection'

export const meshFaultInjection: PolicyPlugin<FaultInjectionConf> = {
  type: 'MeshFaultInjection',
  merge: mergeConfs,
  outboundHttp: (conf, http) => withFaults(http, faultsOf(conf)),
  route(conf, route, context) {
    const faults = faultsOf(conf)
    if (!context.route || faults.length === 0) return route
    const filter: FaultFilter = { type: 'fault', name: FAULT_FILTER, faults }
    return { ...route, filters: [...(route.filters ?? []).filter(({ name }) => name !== FAULT_FILTER), filter] }
  },
  inboundHttp(rules, http) {
    const faults = rules.flatMap(({ matches, conf }, i) => {
      const earlier = rules.slice(0, i).flatMap((rule) => rule.matches)
      return faultsOf(conf).map((fault) => ({
        ...fault,
        ...(matches.length > 0 ? { principals: matches } : {}),
        ...(earlier.length > 0 ? { notPrincipals: earlier } : {}),
      }))
    })
    return withFaults(http, faults)
  },
}

function withFaults(http: HttpConnectionManager, faults: readonly Fault[]): HttpConnectionManager {
  const others = http.filters.filter(({ name }) => name !== FAULT_FILTER)
  return { ...http, filters: faults.length > 0 ? [...others, { type: 'fault', name: FAULT_FILTER, faults }] : others }
}

// a fault without a share, or without what it does, does nothing
function faultsOf({ http = [] }: FaultInjectionConf): readonly Fault[] {
  return http.flatMap(({ abort, delay, responseBandwidth }): Fault[] => {
    const fault: Fault = {
      ...(abort?.percentage === undefined ? {} : { abort: { status: abort.httpStatus, percentage: abort.percentage } }),
      ...(delay?.percentage === undefined || delay.value === undefined ? {} : { delay: { ms: delay.value, percentage: delay.percentage } }),
      ...(responseBandwidth?.percentage === undefined || responseBandwidth.limit === undefined
        ? {}
        : { responseBandwidth: { bytesPerSecond: responseBandwidth.limit, percentage: responseBandwidth.percentage } }),
    }
    return Object.keys(fault).length > 0 ? [fault] : []
  })
}
