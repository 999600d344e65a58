/** What the frame of the window shows beside the views: the explained topic, a message, whether files hover over it. */
import { defineStore } from 'pinia';
import { ref } from 'vue';
import type { Topic } from '../texts/explanations';

/** Time that a message stays, milliseconds. */
const MESSAGE_MS = 8000;

/** State of the frame. */
export const useShell = defineStore('shell', () => {
  const topic = ref<Topic | null>(null);
  const message = ref<string | null>(null);
  const isDragging = ref(false);
  /** The dialog on show. */
  const dialog = ref<'keys' | 'about' | null>(null);
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** Opens the explanation of a topic; the same topic again closes it. */
  function explain(next: Topic): void {
    topic.value = topic.value === next ? null : next;
  }

  /** Says something in the status bar for a while. */
  function say(text: string): void {
    message.value = text;
    clearTimeout(timer);
    timer = setTimeout(() => {
      message.value = null;
    }, MESSAGE_MS);
  }

  return { topic, message, isDragging, dialog, explain, say };
});
