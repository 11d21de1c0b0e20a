// Objects on top of the key-value store. Knows kinds, metadata and revisions; knows nothing of HTTP.
//
//   resource.ts           a kind as the server works with it, and where its objects live
//   object-codec.ts       stored bytes <-> objects <-> bytes on the wire, without parsing where it can be helped
//   create-object.ts      decode (the caller's) -> prepare -> metadata -> admission -> validation -> one transaction
//   update-object.ts      the same for PUT, PATCH and subresources, as a compare-and-swap that retries
//   delete-object.ts      what plan-delete.ts decided: remove, mark (grace, finalizers) or wait
//   read-objects.ts       get, lists and pages at one revision
//   watch-objects.ts      one watch: initial state, what the store remembers, then what watch-hub.ts hands to everyone
//   admission.ts          the door for plugins (allocators, quota, service accounts), which may join the transaction
//   namespace-gate.ts     objects are created only in namespaces that exist and stay
//   lease-bundles.ts      objects that expire
//   status-errors.ts      every refusal in upstream's words
export * from './admission.ts'
export { ChunkPacker } from './chunk-packer.ts'
export { WHOLE_OBJECTS, type EventForm, type ObjectState } from './change.ts'
export { decodeContinue, encodeContinue, ExpiredContinueError, type ContinueToken } from './continue-token.ts'
export { createObject } from './create-object.ts'
export { deleteObject, type Deleted } from './delete-object.ts'
export { instrumentStore } from './instrumented-store.ts'
export { LeaseBundles } from './lease-bundles.ts'
export { createNamespaceGate, IMMORTAL_NAMESPACES, type NamespaceGate } from './namespace-gate.ts'
export { decodeKeyValue, decodeObject, encodeObject, wireChunks } from './object-codec.ts'
export { planDelete, type DeleteOptions, type DeletePlan, type PropagationPolicy } from './plan-delete.ts'
export { getObject, scanObjects, waitUntilFresh, type Scan, type ScanResult } from './read-objects.ts'
export { strategyContext, type RegistryContext, type StoredObject, type WriteRequest } from './registry-context.ts'
export { createResourceTable, resourceOf, splitKey, storageKey, storagePrefix, type Resource, type ResourceTable } from './resource.ts'
export { selectionOf, type Selection } from './selection.ts'
export * from './status-errors.ts'
export { timestamp } from './timestamps.ts'
export { updateObject, type Change } from './update-object.ts'
export { WatchHub } from './watch-hub.ts'
export { watchObjects, type BookmarkWriter, type WatchRequest } from './watch-objects.ts'
