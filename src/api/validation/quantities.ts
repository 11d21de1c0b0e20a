import { compareQuantities, parseQuantity, QuantityError } from '../meta/quantity.ts'
import type { FieldErrors } from './field-errors.ts'

/** Resources whose name has no domain and that only exist whole. */
const WHOLE_RESOURCES = new Set(['pods', 'services', 'replicationcontrollers', 'resourcequotas', 'secrets', 'configmaps'])
const MORE_WHOLE_RESOURCES = ['persistentvolumeclaims', 'services.nodeports', 'services.loadbalancers']

/** Units of 10^-9 of a quantity, or undefined where the text is none. */
export function quantityNanos(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined
  try {
    return parseQuantity(text).nanos
  } catch (error) {
    if (error instanceof QuantityError) return undefined
    throw error
  }
}

/** Compares two quantities; undefined unless both are quantities. */
export function compareIfQuantities(a: string | undefined, b: string | undefined): number | undefined {
  if (quantityNanos(a) === undefined || quantityNanos(b) === undefined) return undefined
  return compareQuantities(a!, b!)
}

/** Checks that `text` is a quantity of the resource `name`: not negative, and whole where the resource is. */
export function checkResourceQuantity(errors: FieldErrors, field: string, name: string, text: string): void {
  const nanos = quantityNanos(text)
  if (nanos === undefined) return errors.invalid(field, text, new QuantityError('QuantityFormat').message)
  if (nanos < 0n) errors.invalid(field, text, 'must be greater than or equal to 0')
  if (isWholeResource(name) && nanos % 1_000_000_000n !== 0n) errors.invalid(field, text, 'must be an integer')
}

/** Checks that `text` is a quantity above zero. */
export function checkPositiveQuantity(errors: FieldErrors, field: string, text: string): void {
  const nanos = quantityNanos(text)
  if (nanos === undefined) errors.invalid(field, text, new QuantityError('QuantityFormat').message)
  else if (nanos <= 0n) errors.invalid(field, text, 'must be greater than zero')
}

/** A domain that is not Kubernetes' own: `nvidia.com/gpu`. Source: k8s.io/kubernetes core/helper.IsExtendedResourceName. */
export function isExtendedResource(name: string): boolean {
  return name.includes('/') && !name.includes('kubernetes.io/') && !name.startsWith('requests.')
}

/** Whether requests may differ from limits. */
export function isOvercommitAllowed(name: string): boolean {
  return !isExtendedResource(name) && !isHugePages(name)
}

export function isHugePages(name: string): boolean {
  return name.startsWith('hugepages-')
}

function isWholeResource(name: string): boolean {
  return WHOLE_RESOURCES.has(name) || MORE_WHOLE_RESOURCES.includes(name) || isExtendedResource(name)
}
