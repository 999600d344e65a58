/** Files dropped anywhere on the window. */
import { pathsOfFiles } from './api';

/**
 * Follows drags over the window; the returned function stops it.
 *
 * @param onOver - Told when files come over the window and when they leave.
 * @param onPaths - Takes the paths of what was dropped.
 */
export function watchDrops(onOver: (isOver: boolean) => void, onPaths: (paths: string[]) => void): () => void {
  /** Entering a child fires before leaving its parent, so borders are counted. */
  let depth = 0;
  const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;

  const enter = (event: DragEvent): void => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth += 1;
    onOver(true);
  };
  const over = (event: DragEvent): void => {
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = hasFiles(event) ? 'copy' : 'none';
  };
  const leave = (): void => {
    depth = Math.max(0, depth - 1);
    if (depth === 0) onOver(false);
  };
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    depth = 0;
    onOver(false);
    onPaths(pathsOfFiles([...(event.dataTransfer?.files ?? [])]));
  };

  window.addEventListener('dragenter', enter);
  window.addEventListener('dragover', over);
  window.addEventListener('dragleave', leave);
  window.addEventListener('drop', drop);
  return () => {
    window.removeEventListener('dragenter', enter);
    window.removeEventListener('dragover', over);
    window.removeEventListener('dragleave', leave);
    window.removeEventListener('drop', drop);
  };
}
