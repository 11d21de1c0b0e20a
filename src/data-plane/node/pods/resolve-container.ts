import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { messageOf } from '../../../base/errors.ts'
import type { Pod, Service } from '../../../api/generated/types.ts'
import { quantityMillis, quantityValue } from '../../../api/meta/quantity.ts'
import { SIDECAR_CONTAINER } from '../../../policy/traffic/model/index.ts'
import type { ImageRecipe } from '../../../api/biplane.dev/v1alpha1/image-recipe.ts'
import { containerEnv, type EnvSources } from '../env/container-env.ts'
import { hostsFile } from '../env/hosts-file.ts'
import { linkedServices, serviceEnv } from '../env/service-env.ts'
import { localServices } from '../mesh/local-services.ts'
import { expandAll, filesDirOf, matchRecipe, planContainer, recipeVariables } from '../recipes/index.ts'
import type { Mount, ResolvedContainer, Sandbox } from '../runtime.ts'
import type { VolumeManager } from '../volumes/volume-manager.ts'
import { containerRoles } from './pod-view.ts'
import { ContainerConfigError } from './container-config-error.ts'

export interface ResolveDeps {
  readonly sources: EnvSources
  readonly volumes: VolumeManager
  /** Own recipes first, built-in ones last. */
  recipes(): readonly ImageRecipe[]
  services(): readonly Service[]
  readonly hostIPs: readonly string[]
  readonly allocatable: { readonly cpuMillis: number; readonly memoryBytes: number }
  /** /etc/hosts can be put in place. */
  readonly mounts: boolean
  /** Text of a pod's /etc/resolv.conf; absent: pods have the node's. */
  readonly resolvConf?: ((pod: Pod) => string) | undefined
  readonly clusterDomain: string
  /** PATH and the like, the weakest variables of every container. */
  readonly baseEnv: Readonly<Record<string, string>>
}

/**
 * Everything a runtime needs to run one container: recipe applied, environment complete, `$(VAR)` expanded, files written.
 * @throws ContainerConfigError, RuntimeError `ImageNotRunnableAsProcess`
 */
export async function resolveContainer(
  pod: Pod,
  start: { readonly sandbox: Sandbox; readonly name: string; readonly restartCount: number },
  deps: ResolveDeps,
): Promise<ResolvedContainer> {
  const { sandbox, name, restartCount } = start
  const spec = containerRoles(pod).find((container) => container.spec.name === name)?.spec
  if (!spec) throw new ContainerConfigError('CreateContainerConfigError', `pod has no container "${name}"`)
  const plan = planContainer(spec, matchRecipe(spec.image ?? '', deps.recipes()))
  if (plan.error) throw plan.error
  if (!runsAsAllowed(pod, spec.securityContext?.runAsNonRoot, userOf(pod, name)?.uid)) {
    throw new ContainerConfigError('CreateContainerConfigError', 'container has runAsNonRoot and image will run as root')
  }

  const own = {
    ...deps.baseEnv,
    HOSTNAME: (pod.spec?.hostNetwork ? pod.spec.nodeName : pod.spec?.hostname) ?? pod.metadata.name,
    ...recipeVariables(sandbox, name),
  }
  const imageEnv = { ...own, ...expandValues(plan.env, own) }
  const services = linkedServices(pod, servicesSeen(pod, sandbox, name, deps))
  const facts = { podIPs: sandbox.ips, hostIPs: deps.hostIPs, allocatable: deps.allocatable }
  const env = await containerEnv(spec, { pod, facts, imageEnv, serviceEnv: serviceEnv(services) }, deps.sources).catch(configError)
  await writeRecipeFiles(filesDirOf(sandbox, name), plan.files, env)

  const mounts: Mount[] = await deps.volumes.mounts(pod, spec.volumeMounts ?? [], env)
  if (deps.mounts && !mounts.some((mount) => mount.mountPath === '/etc/hosts')) {
    mounts.push({ hostPath: await writeHosts(pod, sandbox, deps), mountPath: '/etc/hosts', readOnly: false })
  }
  if (deps.mounts && deps.resolvConf && !mounts.some((mount) => mount.mountPath === '/etc/resolv.conf')) {
    mounts.push({ hostPath: await writeResolvConf(sandbox, deps.resolvConf(pod)), mountPath: '/etc/resolv.conf', readOnly: false })
  }
  const user = userOf(pod, name)
  const cpu = spec.resources?.limits?.['cpu']
  const memory = spec.resources?.limits?.['memory']
  const workingDir = plan.workingDir === undefined ? undefined : expandAll([plan.workingDir], env)[0]
  return {
    name,
    image: spec.image ?? '',
    restartCount,
    command: expandAll(plan.command, env),
    env,
    ...(workingDir ? { workingDir } : {}),
    mounts,
    ...(user ? { user } : {}),
    limits: { ...(cpu ? { cpuMillis: quantityMillis(cpu) } : {}), ...(memory ? { memoryBytes: quantityValue(memory) } : {}) },
  }
}

/** A ConfigMap that cannot be asked for is like one that is missing. */
function configError(error: unknown): never {
  throw error instanceof ContainerConfigError ? error : new ContainerConfigError('CreateContainerConfigError', messageOf(error))
}

/** Writes a pod's hosts file; in place, because containers hold a bind mount of this very file. */
export async function writeHosts(pod: Pod, sandbox: Sandbox, deps: Pick<ResolveDeps, 'services' | 'clusterDomain'>): Promise<string> {
  const path = join(sandbox.dir, 'hosts')
  await writeFile(
    path,
    hostsFile(pod, localServices(pod, sandbox, deps.services()), { podIPs: sandbox.ips, clusterDomain: deps.clusterDomain }),
  )
  await chmod(path, 0o644)
  return path
}

/** A sidecar serves other addresses to its pod than it has to dial itself; the table of them is there before it starts. */
function servicesSeen(pod: Pod, sandbox: Sandbox, container: string, deps: Pick<ResolveDeps, 'services'>): readonly Service[] {
  const services = deps.services()
  const served = localServices(pod, sandbox, services)
  return container === SIDECAR_CONTAINER ? services : served
}

async function writeResolvConf(sandbox: Sandbox, text: string): Promise<string> {
  const path = join(sandbox.dir, 'resolv.conf')
  await writeFile(path, text)
  await chmod(path, 0o644)
  return path
}

function expandValues(values: Readonly<Record<string, string>>, env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, expandAll([value], env)[0] ?? '']))
}

async function writeRecipeFiles(
  dir: string,
  files: readonly { readonly path: string; readonly content: string; readonly mode: number }[],
  env: Readonly<Record<string, string>>,
): Promise<void> {
  for (const file of files) {
    const path = join(dir, file.path)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, expandAll([file.content], env)[0] ?? '')
    await chmod(path, file.mode)
  }
}

/** The user the manifest asks for; undefined leaves it to the runtime's unprivileged default. */
function userOf(pod: Pod, name: string): { readonly uid: number; readonly gid: number } | undefined {
  const spec = containerRoles(pod).find((container) => container.spec.name === name)?.spec
  const uid = spec?.securityContext?.runAsUser ?? pod.spec?.securityContext?.runAsUser
  const gid = spec?.securityContext?.runAsGroup ?? pod.spec?.securityContext?.runAsGroup
  return uid === undefined ? undefined : { uid, gid: gid ?? uid }
}

function runsAsAllowed(pod: Pod, own: boolean | undefined, uid: number | undefined): boolean {
  return !(own ?? pod.spec?.securityContext?.runAsNonRoot) || uid !== 0
}
