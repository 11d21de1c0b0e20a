import type { FieldErrors } from './field-errors.ts'

/** No step of the path may be `..`. */
export function checkNoBacksteps(errors: FieldErrors, field: string, path: string): void {
  if (path.split('/').includes('..')) errors.invalid(field, path, "must not contain '..'")
}

/** A relative path that stays below where it starts. */
export function checkLocalPath(errors: FieldErrors, field: string, path: string): void {
  if (path.startsWith('/')) errors.invalid(field, path, 'must be a relative path')
  checkNoBacksteps(errors, field, path)
}

/** As checkLocalPath; names that start with `..` are kept for the links by which volumes are updated. */
export function checkLocalFilePath(errors: FieldErrors, field: string, path: string): void {
  checkLocalPath(errors, field, path)
  // one error is enough for a path that is `..` or begins with `../`
  if (path.startsWith('..') && !path.startsWith('../') && path !== '..') errors.invalid(field, path, "must not start with '..'")
}

/** Permission bits of a file. */
export function checkFileMode(errors: FieldErrors, field: string, mode: number | undefined): void {
  if (mode !== undefined && (mode < 0 || mode > 0o777)) {
    errors.invalid(field, mode, 'must be a number between 0 and 0777 (octal), both inclusive')
  }
}
