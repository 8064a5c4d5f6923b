import { describe, expect, it } from 'vitest'
import { cameraName } from '../../src/media/camera.ts'

describe('cameraName', () => {
  it.each([
    ['Canon', 'Canon EOS R5', 'Canon EOS R5'],
    ['NIKON CORPORATION', 'NIKON D500', 'NIKON D500'],
    ['NIKON CORPORATION', 'COOLPIX P7000', 'NIKON COOLPIX P7000'],
    ['SONY', 'ILCE-7M3', 'SONY ILCE-7M3'],
    ['OLYMPUS IMAGING CORP.', 'E-M10', 'OLYMPUS E-M10'],
    ['Leica Camera AG', 'LEICA M10', 'LEICA M10'],
    ['Eastman Kodak Company', 'Kodak DC120 ZOOM Digital Camera', 'Kodak DC120 ZOOM Digital Camera'],
    ['EASTMAN KODAK COMPANY', 'DX3900', 'Kodak DX3900'],
    ['SEIKO EPSON CORP.', 'R-D1', 'SEIKO EPSON R-D1'],
    ['RICOH IMAGING COMPANY, LTD.', 'RICOH GR III', 'RICOH GR III'],
    ['Apple', 'iPhone 15 Pro', 'Apple iPhone 15 Pro'],
    ['Hasselblad', 'Hasselblad H6D-100c', 'Hasselblad H6D-100c'],
    ['Canon', undefined, 'Canon'],
    [undefined, 'X100', 'X100'],
  ])('%s, %s is %s', (make, model, name) => {
    expect(cameraName({ ...(make && { make }), ...(model && { model }) })).toBe(name)
  })

  it('is undefined for a camera that nobody named, and short for one that named too much', () => {
    expect(cameraName({})).toBeUndefined()
    expect(cameraName({ make: ' ', model: '' })).toBeUndefined()
    expect(cameraName({ model: 'x'.repeat(500) })).toHaveLength(64)
  })
})
