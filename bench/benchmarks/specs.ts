import type { DatasetSpec } from '../datasets.ts'

export const smallFiles = (files: number): DatasetSpec => ({
  label: 'small',
  files,
  filesPerFolder: 100,
  minBytes: 4000,
  maxBytes: 20_000,
})

export const photoFiles = (files: number): DatasetSpec => ({
  label: 'photos',
  files,
  filesPerFolder: 100,
  minBytes: 4_000_000,
  maxBytes: 4_000_000,
})

export const tinyFiles = (files: number): DatasetSpec => ({
  label: 'tiny',
  files,
  filesPerFolder: 1000,
  minBytes: 64,
  maxBytes: 64,
})

export const oneFile = (bytes: number): DatasetSpec => ({
  label: 'one',
  files: 1,
  filesPerFolder: 1,
  minBytes: bytes,
  maxBytes: bytes,
})

export const count = (files: number): string => files.toLocaleString('en')
