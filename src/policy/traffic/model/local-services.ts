/**
 * How a sidecar gets the connections of its application where nothing can intercept them (loopback network): each service has an address of the pod's own
 * in the loopback network, that the pod's variables and hosts file name and that the sidecar listens on. The node agent writes this table, the sidecar
 * reads it, again whenever it changes.
 */
export interface LocalServices {
  readonly services: readonly LocalService[]
}

export interface LocalService {
  readonly namespace: string
  readonly name: string
  /** What the application dials. */
  readonly alias: string
  /** The service's own address: the destination that is meant. */
  readonly address: string
  readonly ports: readonly number[]
}

/** The file, in the pod's directory; its own directory is one that the sidecar, which is another user, may list and watch. */
export const LOCAL_SERVICES_FILE = 'mesh/services.json'
