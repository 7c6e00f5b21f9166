export const words = {
  title: 'Take it away',
  csv: 'The tensor as CSV',
  png: 'Its picture as PNG',
  svg: 'as SVG',
  picture: 'Take it away as SVG',
  pictureOf: (name: string) => `Take it away as SVG: ${name}`,
  code: 'The code that makes it',
  codeHint: 'Copy JavaScript that runs the same text and prints this number',
  copied: 'Copied',
  failed: (why: string) => `It could not be saved: ${why}`,
  notDrawn: 'no station that is open draws it.',
  noPicture: 'The browser makes no picture of this size.',
};
