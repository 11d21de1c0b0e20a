import type { Origin, Resource, ResourceType } from '../../../policy/traffic/model/index.ts'

/** Who executes a configuration: our own proxy, Envoy, or gRPC inside of the application. */
export type ClientKind = 'biplane' | 'envoy' | 'grpc'

/** Resources of one type and name, as a client kind is told them: made once, shared by all streams. Immutable. */
export interface EncodedResource {
  readonly name: string
  /** Hash of `bytes`: the same on every replica and after a restart. */
  readonly version: string
  /** Value of the Any. */
  readonly bytes: Buffer
  /** Entry of a DiscoveryResponse (`resources`: tag, length, Any). */
  readonly sotw: Buffer
  /** Entry of a DeltaDiscoveryResponse (`resources`: tag, length, Resource). */
  readonly delta: Buffer
  /** Objects of the API that it comes from: whom a refusal is told. */
  readonly origins: readonly Origin[]
  /** Has to be sent again after this one was changed: the endpoints of an Envoy cluster, which warms anew, or the routes of a listener. */
  readonly again?: readonly ResourceRef[]
}

export interface ResourceRef {
  readonly typeUrl: string
  readonly name: string
}

export interface CommonResources {
  readonly resources: ReadonlyMap<string, EncodedResource>
  /** Their names: the same set as long as they stay the same, whatever becomes of the resources. */
  readonly names: ReadonlySet<string>
}

/** What streams read. Answers are of now and cheap: they are asked for each stream at each push. */
export interface ResourceSource {
  /** Undefined: does not exist, or is not for this proxy. */
  resource(proxy: string, typeUrl: string, name: string): EncodedResource | undefined
  /** All names of a type, for wildcards. */
  names(proxy: string, typeUrl: string): Iterable<string>
  /** What many proxies have in common of a type, this one among them: the same objects for all of them, which never change. For sharing memory alone. */
  common?(proxy: string, typeUrl: string): CommonResources | undefined
  /** Called after the answers have changed. Returns how to stop. */
  onChange(listener: (change: ResourceChange) => void): () => void
}

/** What may have changed; saying too much costs time, saying too little is an error. */
export interface ResourceChange {
  /** Absent: all proxies. */
  readonly proxies?: ReadonlySet<string>
  /** Names by type URL, removed ones included; absent: anything. */
  readonly names?: ReadonlyMap<string, ReadonlySet<string>>
  /** Endpoints were removed or something was forbidden: not held back to be sent together with later changes. */
  readonly urgent: boolean
}

/** One resource of the intermediate form with what it comes from. */
export interface SourceResource<T extends Resource = Resource> {
  readonly type: ResourceType
  readonly value: T
  readonly origins: readonly Origin[]
}

/** What a generator makes of a proxy's resources. */
export interface GeneratedResource {
  readonly typeUrl: string
  readonly name: string
  /** The encoded message. */
  readonly bytes: Buffer
  readonly origins: readonly Origin[]
  readonly again?: readonly ResourceRef[]
}

/** Turns the intermediate form into what one kind of client takes. Pure: the same input gives the same bytes. */
export interface Generator {
  readonly kind: ClientKind
  /** What it makes of a resource depends on that resource alone, whichever proxy it is for: what proxies have in common is then made once. */
  readonly independent?: true
  /** Type URLs it makes resources of; subscriptions to others are answered with "does not exist". */
  readonly typeUrls: readonly string[]
  generate(proxy: string, resources: readonly SourceResource[]): readonly GeneratedResource[]
}

/** Told of each refusal, with all objects that what was refused comes from: whoever compiles may leave one of them out for clients of that kind. */
export type Quarantine = (origins: readonly Origin[], kind: ClientKind, reason: string) => void
