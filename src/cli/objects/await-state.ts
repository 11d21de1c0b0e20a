import type { KindDefinition } from '../../api/kind.ts'
import type { KubeObject } from '../../api/meta/object.ts'
import { StatusError, isStatus } from '../../base/errors.ts'
import type { Session } from '../connect.ts'

export interface AwaitOptions {
  readonly kind: KindDefinition
  readonly name: string
  readonly namespace: string | undefined
  /** Whether this is it; undefined stands for an object that is not there. */
  readonly isDone: (object: KubeObject | undefined) => boolean
  readonly signal: AbortSignal
}

/** Reads an object, then watches it until it is as wanted. @returns it, or undefined when it is gone. @throws the signal's reason */
export async function awaitState(session: Session, options: AwaitOptions): Promise<KubeObject | undefined> {
  const { kind, name, namespace, isDone, signal } = options
  const client = session.client.of(kind)
  const fieldSelector = `metadata.name=${name}`
  for (;;) {
    signal.throwIfAborted()
    const list = await client.list({ namespace, fieldSelector, signal })
    const [object] = list.items
    if (isDone(object)) return object
    try {
      const resourceVersion = list.metadata.resourceVersion ?? ''
      for await (const event of client.watch({ namespace, fieldSelector, resourceVersion, signal })) {
        // 410 and the like: read again
        if (event.type === 'ERROR') break
        const next = event.type === 'DELETED' ? undefined : event.object
        if (event.type !== 'BOOKMARK' && isDone(next)) return next
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (error instanceof StatusError && !isStatus(error, 'Expired', 'Gone')) throw error
    }
  }
}
