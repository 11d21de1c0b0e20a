import { deployments } from '../../api/apps/v1/deployment.ts'
import { replicaSets } from '../../api/apps/v1/replica-set.ts'
import type { Deployment, ReplicaSet } from '../../api/generated/types.ts'
import { findCondition } from '../../api/conditions.ts'
import { formatLabelSelector } from '../../api/meta/selector.ts'
import { connect, type Session } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { CliError, usageError } from '../errors/cli-error.ts'
import { awaitState } from '../objects/await-state.ts'
import { findKind } from '../objects/find-kind.ts'
import { withTimeout } from '../objects/with-timeout.ts'
import { formatTable } from '../print/table.ts'
import type { ConnectOptions } from '../program/options.ts'

const REVISION = 'deployment.kubernetes.io/revision'
const HASH_LABEL = 'pod-template-hash'

/** `biplane rollout status`. */
export async function runRolloutStatus(
  context: CliContext,
  what: string,
  options: ConnectOptions & { readonly timeout: number },
): Promise<void> {
  await using session = connect(context, options)
  const name = await deploymentName(session, what)
  const { namespace } = session
  await session.client.of(deployments).get(name, { namespace })
  let said = ''
  await withTimeout(context, options.timeout, async (signal) => {
    try {
      await awaitState(session, {
        kind: deployments,
        name,
        namespace,
        signal,
        isDone: (object) => {
          const status = rolloutStatus(object as Deployment | undefined)
          if (status.message !== said) context.out.write(`${status.message}\n`)
          said = status.message
          return status.done
        },
      })
    } catch (error) {
      if (!signal.aborted) throw error
      throw new CliError(`deployment "${name}" is not rolled out after ${options.timeout / 1000} s`, {
        fix: `see: biplane describe deployment/${name}`,
      })
    }
  })
}

/** How far a roll-out is, in kubectl's words. Source: k8s.io/kubectl polymorphichelpers.DeploymentStatusViewer. @throws {CliError} when its time is over */
export function rolloutStatus(deployment: Deployment | undefined): { readonly done: boolean; readonly message: string } {
  if (!deployment) throw new CliError('the deployment has been deleted')
  const { metadata, spec, status } = deployment
  const { name } = metadata
  if ((metadata.generation ?? 0) > (status?.observedGeneration ?? 0)) {
    return { done: false, message: 'Waiting for deployment spec update to be observed...' }
  }
  if (findCondition(status?.conditions, 'Progressing')?.reason === 'ProgressDeadlineExceeded') {
    throw new CliError(`deployment "${name}" exceeded its progress deadline`, { fix: `see: biplane describe deployment/${name}` })
  }
  const wanted = spec?.replicas ?? 1
  const { updatedReplicas = 0, replicas = 0, availableReplicas = 0 } = status ?? {}
  const waiting = (why: string): { done: boolean; message: string } => ({
    done: false,
    message: `Waiting for deployment "${name}" rollout to finish: ${why}...`,
  })
  if (updatedReplicas < wanted) return waiting(`${updatedReplicas} out of ${wanted} new replicas have been updated`)
  if (replicas > updatedReplicas) return waiting(`${replicas - updatedReplicas} old replicas are pending termination`)
  if (availableReplicas < updatedReplicas) return waiting(`${availableReplicas} of ${updatedReplicas} updated replicas are available`)
  return { done: true, message: `deployment "${name}" successfully rolled out` }
}

/** `biplane rollout history`. */
export async function runRolloutHistory(context: CliContext, what: string, options: ConnectOptions): Promise<void> {
  await using session = connect(context, options)
  const name = await deploymentName(session, what)
  const rows = (await revisions(session, name)).map(({ revision, set }) => [
    String(revision),
    set.metadata.annotations?.['kubernetes.io/change-cause'] ?? '<none>',
  ])
  context.out.write(`deployment.apps/${name}\n${formatTable([['REVISION', 'CHANGE-CAUSE'], ...rows])}`)
}

/** `biplane rollout undo`. */
export async function runRolloutUndo(
  context: CliContext,
  what: string,
  options: ConnectOptions & { readonly toRevision?: number },
): Promise<void> {
  await using session = connect(context, options)
  const name = await deploymentName(session, what)
  const { namespace } = session
  const all = await revisions(session, name)
  const { toRevision } = options
  const target = toRevision === undefined || toRevision === 0 ? all.at(-2) : all.find(({ revision }) => revision === toRevision)
  if (!target) {
    const known = all.map(({ revision }) => revision).join(', ')
    throw new CliError(
      toRevision ? `deployment "${name}" has no revision ${toRevision}` : `deployment "${name}" has no revision before this one`,
      {
        why: `there are ${known || 'none'}`,
      },
    )
  }
  const template = structuredClone(target.set.spec?.template)
  delete template?.metadata?.labels?.[HASH_LABEL]
  await session.client
    .of(deployments)
    .patch(name, [{ op: 'replace', path: '/spec/template', value: template }], { namespace, type: 'json' })
  context.out.write(`deployment.apps/${name} rolled back to revision ${target.revision}\n`)
}

/** `biplane rollout restart`. */
export async function runRolloutRestart(context: CliContext, what: string, options: ConnectOptions): Promise<void> {
  await using session = connect(context, options)
  const name = await deploymentName(session, what)
  const annotations = { 'kubectl.kubernetes.io/restartedAt': new Date(context.clock.now()).toISOString() }
  const patch = { spec: { template: { metadata: { annotations } } } }
  await session.client.of(deployments).patch(name, patch, { namespace: session.namespace, type: 'strategic' })
  context.out.write(`deployment.apps/${name} restarted\n`)
}

async function deploymentName(session: Session, what: string): Promise<string> {
  const [kindText, name, ...more] = what.split('/')
  if (!kindText || !name || more.length > 0) throw usageError(`"${what}" is not deployment/NAME`)
  const kind = await findKind(session.discovery, kindText)
  if (kind.kind !== 'Deployment') throw usageError(`rollout knows deployments, not ${kind.plural}`)
  return name
}

/** The revisions of a deployment that are still there, oldest first. */
async function revisions(session: Session, name: string): Promise<readonly { readonly revision: number; readonly set: ReplicaSet }[]> {
  const { namespace } = session
  const deployment = await session.client.of(deployments).get(name, { namespace })
  const { items } = await session.client
    .of(replicaSets)
    .listAll({ namespace, labelSelector: formatLabelSelector(deployment.spec?.selector) })
  return items
    .filter((set) => set.metadata.ownerReferences?.some(({ uid }) => uid === deployment.metadata.uid))
    .map((set) => ({ revision: Number(set.metadata.annotations?.[REVISION] ?? 0), set }))
    .sort((a, b) => a.revision - b.revision)
}
