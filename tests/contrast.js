// The texts of a page that stand out too little from their ground: less than 4.5, or 3 for large ones (WCAG 2.2, level
// AA). A list of sentences. Texts in pictures are not looked at.
() => {
  const parsed = text => {
    const numbers = text.match(/[\d.]+/g).map(Number), share = text.startsWith("color(");
    return [...numbers.slice(0, 3).map(value => share ? 255 * value : value), numbers[3] ?? 1];
  };
  const over = ([r, g, b, share], ground) => [r, g, b].map((value, i) => value * share + ground[i] * (1 - share));
  const chain = element => element ? [element, ...chain(element.parentElement)] : [];
  const ground = element => chain(element).reverse().reduce(
    (below, one) => over(parsed(getComputedStyle(one).backgroundColor), below), [255, 255, 255]);
  const luminance = colour => {
    const [r, g, b] = colour.map(value => value / 255).map(
      share => share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = new Set();
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement, words = texts.currentNode.textContent.trim();
    const { width, height } = element.getBoundingClientRect();
    if (words === "" || element.closest("svg, script, style, noscript") || width * height === 0) continue;
    const style = getComputedStyle(element), below = ground(element);
    if (style.visibility === "hidden") continue;
    const opacity = chain(element).reduce((product, one) => product * Number(getComputedStyle(one).opacity), 1);
    const [r, g, b, share] = parsed(style.color);
    const [low, high] = [over([r, g, b, share * opacity], below), below].map(luminance).sort((a, b) => a - b);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < (large ? 3 : 4.5)) found.add(`"${words.slice(0, 40)}" has a contrast of ${contrast.toFixed(1)}`);
  }
  return [...found];
}
