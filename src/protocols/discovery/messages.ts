/** A client, as it describes itself. Only what we look at. */
export interface Node {
  readonly id: string
  readonly cluster: string
  readonly userAgent: string
}

/** google.rpc.Status: why a response was refused. */
export interface ErrorDetail {
  readonly code: number
  readonly message: string
}

export interface DiscoveryRequest {
  readonly versionInfo: string
  readonly node?: Node
  readonly resourceNames: readonly string[]
  readonly typeUrl: string
  readonly responseNonce: string
  readonly errorDetail?: ErrorDetail
}

export interface DeltaDiscoveryRequest {
  readonly node?: Node
  readonly typeUrl: string
  readonly subscribe: readonly string[]
  readonly unsubscribe: readonly string[]
  readonly initialVersions: ReadonlyMap<string, string>
  readonly responseNonce: string
  readonly errorDetail?: ErrorDetail
}

/** A resource as a delta response carries it. */
export interface DeltaResource {
  readonly name: string
  readonly version: string
  /** Of the Any. */
  readonly typeUrl: string
  readonly value: Buffer
}

export interface DeltaDiscoveryResponse {
  readonly systemVersion: string
  readonly resources: readonly DeltaResource[]
  readonly typeUrl: string
  readonly removed: readonly string[]
  readonly nonce: string
}

export interface DiscoveryResponse {
  readonly versionInfo: string
  readonly resources: readonly { readonly typeUrl: string; readonly value: Buffer }[]
  readonly typeUrl: string
  readonly nonce: string
}
