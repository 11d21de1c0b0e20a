import type { AppArmorProfile, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext, Sysctl } from '../generated/types.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkRange } from './names.ts'
import { checkLocalPath } from './paths.ts'

const MAX_ID = 2 ** 31 - 1
const SYSCTL_SEGMENT = '[a-z0-9]([-_a-z0-9]*[a-z0-9])?'
const SYSCTL_FORMAT = `^(${SYSCTL_SEGMENT}[\\./])*${SYSCTL_SEGMENT}$`
const SYSCTL = new RegExp(SYSCTL_FORMAT)

export function checkPodSecurityContext(errors: FieldErrors, field: string, spec: PodSpec): void {
  const context = spec.securityContext
  if (!context) return
  for (const key of ['fsGroup', 'runAsUser', 'runAsGroup'] as const) checkId(errors, `${field}.${key}`, context[key])
  context.supplementalGroups?.forEach((id, i) => checkId(errors, `${field}.supplementalGroups[${i}]`, id))
  if (spec.shareProcessNamespace && spec.hostPID) {
    errors.invalid(`${field}.shareProcessNamespace`, true, 'ShareProcessNamespace and HostPID cannot both be enabled')
  }
  checkSysctls(errors, `${field}.sysctls`, spec)
  errors.oneOf(`${field}.seLinuxChangePolicy`, context.seLinuxChangePolicy, ['MountOption', 'Recursive'])
  checkProfiles(errors, field, context)
}

/** @param options.hostUsers whether the pod has the users of its host, which is the default */
export function checkSecurityContext(
  errors: FieldErrors,
  field: string,
  context: SecurityContext | undefined,
  options: { readonly hostUsers: boolean },
): void {
  if (!context) return
  for (const key of ['runAsUser', 'runAsGroup'] as const) checkId(errors, `${field}.${key}`, context[key])
  if (options.hostUsers && context.procMount === 'Unmasked') {
    errors.invalid(`${field}.procMount`, 'Unmasked', '`hostUsers` must be false to use `Unmasked`')
  }
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged) errors.invalid(field, context, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true')
    if (context.capabilities?.add?.includes('CAP_SYS_ADMIN')) {
      errors.invalid(field, context, 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN')
    }
  }
  checkProfiles(errors, field, context)
}

function checkId(errors: FieldErrors, field: string, id: number | undefined): void {
  if (id !== undefined) errors.invalidEach(field, id, checkRange(id, 0, MAX_ID))
}

function checkProfiles(errors: FieldErrors, field: string, context: PodSecurityContext | SecurityContext): void {
  if (context.seccompProfile) checkSeccomp(errors, `${field}.seccompProfile`, context.seccompProfile)
  if (context.appArmorProfile) checkAppArmor(errors, `${field}.appArmorProfile`, context.appArmorProfile)
}

function checkSeccomp(errors: FieldErrors, field: string, profile: SeccompProfile): void {
  if (!profile.type) errors.required(`${field}.type`, 'type is required when seccompProfile is set')
  const path = profile.localhostProfile
  if (profile.type !== 'Localhost') {
    if (path !== undefined) errors.invalid(`${field}.localhostProfile`, profile, 'can only be set when seccomp type is Localhost')
  } else if (path === undefined) {
    errors.required(`${field}.localhostProfile`, 'must be set when seccomp type is Localhost')
  } else {
    checkLocalPath(errors, `${field}.localhostProfile`, path)
  }
}

function checkAppArmor(errors: FieldErrors, field: string, profile: AppArmorProfile): void {
  if (!profile.type) errors.required(`${field}.type`, 'type is required when appArmorProfile is set')
  const path = profile.localhostProfile
  if (profile.type !== 'Localhost') {
    if (path !== undefined) errors.invalid(`${field}.localhostProfile`, path, 'can only be set when AppArmor type is Localhost')
  } else if (!path?.trim()) {
    errors.required(`${field}.localhostProfile`, 'must be set when AppArmor type is Localhost')
  } else if (path.trim() !== path) {
    errors.invalid(`${field}.localhostProfile`, path, 'must not be padded with whitespace')
  }
}

function checkSysctls(errors: FieldErrors, field: string, spec: PodSpec): void {
  const seen = new Set<string>()
  spec.securityContext?.sysctls?.forEach(({ name }: Sysctl, i) => {
    const path = `${field}[${i}].name`
    if (!name) return errors.required(path)
    if (name.length > 253 || !SYSCTL.test(name)) {
      errors.invalid(path, name, `must have at most 253 characters and match regex ${SYSCTL_FORMAT}`)
    } else if (seen.has(name)) {
      errors.duplicate(path, name)
    }
    seen.add(name)
    const dotted = name.replaceAll('/', '.')
    if (spec.hostNetwork && dotted.startsWith('net.')) errors.invalid(path, name, "may not be specified when 'hostNetwork' is true")
    if (spec.hostIPC && IPC_SYSCTL.test(dotted)) errors.invalid(path, name, "may not be specified when 'hostIPC' is true")
  })
}

/** Sysctls that belong to the IPC namespace. */
const IPC_SYSCTL = /^(kernel\.(shm|msg)|kernel\.sem$|fs\.mqueue\.)/
