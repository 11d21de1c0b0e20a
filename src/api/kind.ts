import type { KubeObject } from './meta/object.ts'

/** One wrong field. `type` is the cause reason on the wire. Source: k8s.io/apimachinery field.ErrorType. */
export interface FieldError {
  readonly type:
    | 'FieldValueRequired'
    | 'FieldValueInvalid'
    | 'FieldValueNotSupported'
    | 'FieldValueDuplicate'
    | 'FieldValueForbidden'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany'
    | 'FieldValueTypeInvalid'
    | 'FieldValueNotFound'
    | 'InternalError'
  /** Path such as `spec.containers[0].name`. */
  readonly field: string
  /** Without the path: `Invalid value: "x": must be ...`. The Status message is `<field>: <message>`. */
  readonly message: string
}

/** A column of `kubectl get`. `priority` 0 shows always, 1 only with `-o wide`. */
export interface Column<T> {
  readonly name: string
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date'
  readonly format?: string
  readonly description: string
  readonly priority?: 0 | 1
  /** The cell; ages are rendered by the caller's clock, so `nowMs` comes in. */
  readonly value: (object: T, nowMs: number) => string | number | boolean | null
}

/** What a strategy may know of the request. */
export interface StrategyContext {
  readonly nowMs: number
  /** Name of the user who asks. */
  readonly user: string
  /** Groups of the user who asks. Default none. */
  readonly groups?: readonly string[]
  /** '' for the object itself, else 'status', 'scale', ... */
  readonly subresource: string
  /** On create: the uid that the object gets, whatever uid it carries. */
  readonly uid: () => string
}

/**
 * What a kind decides about its own writes. Every part is pure but for the object it is handed, which it may change
 * where the name says `prepare` or `default`. Source: k8s.io/apiserver rest.RESTCreateUpdateStrategy.
 */
export interface Strategy<T> {
  /** Defaults that a schema cannot express (they depend on other fields). Runs after schema defaults, before validation. */
  readonly setDefaults?: (object: T) => void
  /** Clears what clients must not set (status, allocated fields). */
  readonly prepareForCreate?: (object: T, context: StrategyContext) => void
  /** Puts back what this write may not change. Plain writes have `status` restored before; status writes all but status. */
  readonly prepareForUpdate?: (next: T, previous: T, context: StrategyContext) => void
  readonly validate?: (object: T) => readonly FieldError[]
  readonly validateUpdate?: (next: T, previous: T, context: StrategyContext) => readonly FieldError[]
  /** Texts for `Warning` headers (deprecations). */
  readonly warnings?: (object: T) => readonly string[]
  /** Creating by PUT is allowed (Leases, Endpoints and a few others). */
  readonly allowCreateOnUpdate?: boolean
  /** PUT and PATCH without resourceVersion are allowed. Default true, as for nearly all kinds. */
  readonly allowUnconditionalUpdate?: boolean
  /** Seconds of grace for this DELETE, or undefined where deletion is immediate (all but pods). */
  readonly gracePeriodSeconds?: (object: T, asked: number | undefined) => number | undefined
}

export interface ScaleSubresource {
  readonly specReplicasPath: string
  readonly statusReplicasPath: string
  /** Where the label selector is (an object or, for replication controllers, a plain map). */
  readonly selectorPath?: string
}

/** How a kind's objects may be called; see validation/names.ts for the texts. */
export type NameRule =
  /** RFC 1123 subdomain, at most 253 characters: nearly all kinds. */
  | 'subdomain'
  /** RFC 1123 label, at most 63 characters. */
  | 'label'
  /** RFC 1035 label: starts with a letter. */
  | 'rfc1035'
  /** Anything that is one segment of a path (RBAC kinds). */
  | 'path'
  /** A canonical IP address. */
  | 'ip'

/** What a kind is made of. Only the first block is needed to use a kind from a client. */
export interface KindDefinition<T extends KubeObject = KubeObject> {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly namespaced: boolean

  /** Default: the kind in lower case. */
  readonly singular?: string
  readonly shortNames?: readonly string[]
  /** `all` makes it part of `kubectl get all`. */
  readonly categories?: readonly string[]
  /** Name in the table of schemas (`io.k8s.api.core.v1.Pod`); the registry resolves it lazily. */
  readonly schema?: string
  /** Rule for metadata.name and metadata.generateName. Default `subdomain`. */
  readonly nameRule?: NameRule
  /**
   * The table is Name, then these of priority 0, then Age, then these of priority 1. Absent: Name and Age alone.
   * Readers use `tableColumns(kind)` of print/columns.ts, which knows the order.
   */
  readonly columns?: readonly Column<T>[]
  /** `columns` are the whole table in the order given, Name and Age included where wanted (Node, Event). Default false. */
  readonly ownColumns?: boolean
  readonly status?: boolean
  readonly scale?: ScaleSubresource
  readonly strategy?: Strategy<T>
  /** Beyond metadata.name and metadata.namespace. */
  readonly fieldSelectors?: Readonly<Record<string, (object: T) => string>>
  /** Verbs in discovery. Default: all of create delete deletecollection get list patch update watch. */
  readonly verbs?: readonly string[]
  /**
   * Shares another kind's storage (events.k8s.io Event is core Event in other words). `decode` turns the stored
   * object into this kind, `encode` the other way.
   */
  readonly storedAs?: {
    readonly group: string
    readonly plural: string
    readonly decode: (stored: KubeObject) => KubeObject
    readonly encode: (object: KubeObject) => KubeObject
  }
  /** Objects go away by themselves after this time (Events: one hour). */
  readonly ttlSeconds?: number

  /** Never set: carries the object's type so that clients are typed by the kind they are given. */
  readonly type?: T
}

/** Declares a kind. The value is at once the client's typed handle and the server's description. */
export function defineKind<T extends KubeObject>(definition: KindDefinition<T>): KindDefinition<T> {
  return definition
}
