import type { Taint, Toleration } from '../../../api/generated/types.ts'

/** Whether one of `tolerations` covers `taint`. Source: k8s.io/component-helpers/scheduling/corev1. */
export function tolerates(tolerations: readonly Toleration[], taint: Pick<Taint, 'key' | 'effect' | 'value'>): boolean {
  return tolerations.some((toleration) => {
    if (toleration.effect && toleration.effect !== taint.effect) return false
    if (toleration.key && toleration.key !== taint.key) return false
    if (!toleration.key && toleration.operator !== 'Exists') return false
    return toleration.operator === 'Exists' || (toleration.value ?? '') === (taint.value ?? '')
  })
}
