import { describe, expect, it } from 'vitest';
import { resample, type Kernel, type Pixels } from '../../src/data/resample-image.ts';
import { noise } from './helpers.ts';

/** Image.resize of Pillow 12.3 over the 9x7 noise image: kernel, width, height, bytes. */
const golden: readonly [Kernel, number, number, string][] = [
  ['bilinear', 4, 3, 'enGPd3CHi4ZonXl6foh4i3dzb41+dYx8foOBnIR0f2GSeXqJ'],
  [
    'bilinear',
    11,
    13,
    'AJ48n4IhxmSOp0bkiCfFaginTLuILctpg61L8I4s1XMRNoVynGlXrUuZjkrLb12sUT6OdLFvY7JQlZRW13VivFpHlFrRlj61giCs' +
      'Y1GgRLyBJp1iuZ9EwocltWhprErBkS+mkJHNdXaxV1iTXHN1fLhWXpk3wHtqvlxdn2qGgYK9ZmeiZfCiStSGLLZoY59K2owrvG4M' +
      'rlCvkjG7dH6mVuCSOsV3Oth3db1bd589ioBKw2F2pUNXhoaqZ3ykSZyGS8lnha5MD61LrpIw1XQSt1VQmDbUehi2W8uYPNt5Hrxa' +
      'RZ485IIhboKqqWePqkhxjFx9bZWpT3eLMLltaa9OfZFufnObuVeAuVf1nkrafzG8aGidVuB+N8JgGaNSkIQ2yGaEqU3mjkDLjizK' +
      'coOvVI+Qb5VytLVTlpc1d3iXl1mVnTujfke7Y56fYyifY6qEUMdlgalV7IpPzWwxr03DkEfMcjeuXVOQX9Z0OId0naRZr5w6rX5c' +
      'wV+uokCQhCKxZXOhR5aDWIxlvqtJH71bvqFA5YMhx2VgqEbkiSfGawmnTI2ILsxqVa1M9JIw',
  ],
  ['bicubic', 4, 3, 'enONd2mLiolloHp3e4x/inhsbo1+dI2CfoGAoIRzfV6UeXqH'],
  [
    'bicubic',
    11,
    13,
    'AKcuqIsB3GyOrkb+jxTMcQCuQMuPCd5xe7RI/5Ma23kBLodrpWtDwEack0TgbVe0UTaVcL5wUMJKkphR6XJdw1k+oFDenDTAhgOy' +
      'YEakNNWDGqhky6Q61YsHu2RlrjvbkiKwpIzic3HHQ0ScT29wedZJV6ws1nRn2khNql+Je4DbWF+0Z/ilRt6JE71pWaNH8o4fxG8E' +
      'sEnAkxbNdXqrUviSL8x3J+ppdNBOcrImioc73k96tjRViYe/XHS+MqGJO+NUhr08Bq5MtpQy5HQBtlVImDPkehi2W9eYPOZ5ELxa' +
      'PZw67YAgbIStuVyTwixrj02AWqDAPnmaGMtgacUwg5pkf2ymzEOBw1f+oUfkfRnFY16iTvh8MMpfBqRMmoMd4WSArUj+jDbSnBPW' +
      'aYq8M5qeYJlzwMc8naIienqipUycsR2rgDXMTqupYhWeXriENuJhd7BO/4dD2WomvErWlEDjbiG0V0eLVetwKo5tp6tTvKEmsXtT' +
      'w1fBojmYhRS2YX2lNKeAT49bzK0/Ds9Vz6I7/3sIz15XoT//giDVZACjRp6AF+5jTLRD/4kn',
  ],
  ['nearest', 4, 3, 'iijGP9589ZMxqkjm6ogmnz3bVPORCqhGSeiG/507tFLwaQim'],
  [
    'nearest',
    11,
    13,
    'AJ482ngXtVPxtVPxjy7MaginReOBH75cH75c+pg21XMRAJ482ngXtVPxtVPxjy7MaginReOBH75cH75c+pg21XMRr07siijGZQOh' +
      'ZQOhP958GrhW9ZMxz20Mz20MqkjmhSPBr07siijGZQOhZQOhP958GrhW9ZMxz20Mz20MqkjmhSPBX/2cOth2FbNRFbNR740symgG' +
      'pEPhfx28fx28WviWNNNxX/2cOth2FbNRFbNR740symgGpEPhfx28fx28WviWNNNxD61L6ogmxGMBxGMBnz3behi2VPORL81rL81r' +
      'CqhG5IIhv137mjjWdBKxdBKxT+2LKshmBKJB330b330buVj2lDLRv137mjjWdBKxdBKxT+2LKshmBKJB330b330buVj2lDLRbw2r' +
      'SeiGJMJgJMJg/5072XgWtFLwjy3Ljy3LaQimROKAbw2rSeiGJMJgJMJg/5072XgWtFLwjy3Ljy3LaQimROKAH71b+Zc21HIQ1HIQ' +
      'r03riSfGZAKgP917P917GbdW9JIwH71b+Zc21HIQ1HIQr03riSfGZAKgP917P917GbdW9JIw',
  ],
  ['lanczos', 4, 3, 'eHiJe2SLiopmnn50eYqGiHxlco5+c4mIgH9/o4R1eF2WfHqG'],
  [
    'lanczos',
    11,
    13,
    'AK8qnZQA73SKqE3/nADFegCuQMeVAOt+dbJL/5wM1YIAMH9wo2dA0zudkETqZFa1Sjiadb9sTNI/kZRQ7GlhxFI+mkzYoDq5kgCu' +
      'aEOpKtWMF6Jsxac+15cAs2hhsTbbmSCluYr0cXfeIT+iSXVpdvQzVsAa4Gln+CpLtliOc4D1R1vEbvaqTd2QALhqWKVL9pcUwnUA' +
      'sE27mgXVfnenUfaYLcV9EvdWceBAccgUjZA4+DR6yCFViojKUXPeGKKIN/M8ic0rA65Mr5U69HIAr1pKmSzrehi2WtWWRPF4ALdc' +
      'RZs58IEgaYaswlaY5QpnkkWGR6HbLHmtCtJXad4PgahbgmSp4TF9x1P/oFDocQ7HYmKkU/91Ms5ZCKFTnH0V9mGCpUf/hTrRsAHo' +
      'aIXNC6GyVpt8w94fnrQOeXyirkOg0wCvgTLfOLC5WBiWZ7R/MfVUe6hQ/39F3GIsvUbXkEvyYhyuU1KBW/BqI4pooq1Wv60VrHxS' +
      'y1LDqTSWixG6ZXyxIauCUItUzLU8C9hVzJ9F/2kAyVlcmEL/eSDeWgCbS6FzBf9iVq5D/38o',
  ],
];

const whole = (width: number, height: number) => ({ left: 0, top: 0, width, height });

describe('resample', () => {
  it.each(golden)('%s to %i x %i equals Pillow to the bit', (kernel, width, height, bytes) => {
    const { data } = resample(noise(9, 7), width, height, kernel, whole(width, height));
    expect(Buffer.from(data).toString('base64')).toBe(bytes);
  });

  it.each(golden)('%s to %i x %i: a box equals resizing everything and cropping then', (kernel, width, height) => {
    const full = resample(noise(9, 7), width, height, kernel, whole(width, height));
    const box = { left: 1, top: 1, width: width - 2, height: height - 1 };
    expect(resample(noise(9, 7), width, height, kernel, box)).toEqual(cut(full, box));
  });

  it('leaves an image of the same size as it is', () => {
    for (const kernel of ['bilinear', 'bicubic', 'nearest', 'lanczos'] as const) {
      expect(resample(noise(9, 7), 9, 7, kernel, whole(9, 7)).data).toEqual(noise(9, 7).data);
    }
  });
});

function cut(image: Pixels, box: { left: number; top: number; width: number; height: number }): Pixels {
  const data: number[] = [];
  for (let y = box.top; y < box.top + box.height; y++) {
    for (let x = box.left; x < box.left + box.width; x++) {
      for (let c = 0; c < image.channels; c++) data.push(image.data[(y * image.width + x) * image.channels + c]!);
    }
  }
  return { width: box.width, height: box.height, channels: image.channels, data: Uint8Array.from(data) };
}
