/** A chart as the bytes of a PNG (twice the size on the screen) or of an SVG, with its title drawn in. */
import { TITLE_HEIGHT, type ChartOption } from '../../charts/axis-style';
import { init } from './echarts';

/** Kinds of picture files. */
export type PictureType = 'png' | 'svg';

const PNG_PIXEL_RATIO = 2;

/**
 * The bytes of a picture.
 *
 * @param option - The option with its title.
 * @param width - Of the chart on the screen, CSS pixels.
 * @param height - The same, without the title.
 * @param type - PNG or SVG.
 */
export async function pictureBytes(
  option: ChartOption,
  width: number,
  height: number,
  type: PictureType,
): Promise<Uint8Array<ArrayBuffer>> {
  const size = { width, height: height + TITLE_HEIGHT };
  if (type === 'svg') {
    const chart = init(null, null, { renderer: 'svg', ssr: true, ...size });
    chart.setOption(option);
    const text = chart.renderToSVGString();
    chart.dispose();
    return new TextEncoder().encode(text);
  }
  const host = document.createElement('div');
  const chart = init(host, null, { renderer: 'canvas', devicePixelRatio: PNG_PIXEL_RATIO, ...size });
  chart.setOption(option);
  chart.getZr().flush();
  const canvas = chart.renderToCanvas({ pixelRatio: PNG_PIXEL_RATIO });
  chart.dispose();
  const blob = await new Promise<Blob>((resolve, reject) => {
    canvas.toBlob((result) => (result ? resolve(result) : reject(new Error('the picture could not be encoded'))));
  });
  return new Uint8Array(await blob.arrayBuffer());
}
