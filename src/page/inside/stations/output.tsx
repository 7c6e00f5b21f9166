export function Output() {
  return null;
}
