// What is wrong with the texts of a drawing as a browser shows it now: a list of sentences. A text counts if no group
// around it is invisible and no later cell of a grid hides it whole.
svg => {
  const EDGE = 4;  // units that must stay free beside a text
  const visible = element => {
    for (let one = element; one !== svg.parentNode; one = one.parentNode) {
      if (getComputedStyle(one).opacity === "0") return false;
    }
    return true;
  };
  const parts = [...svg.querySelectorAll("text, rect, circle, polygon, path")].filter(visible);
  const toDrawing = svg.getScreenCTM().inverse();
  const boxOf = element => {  // of a text: as high as its capitals and digits
    const outer = element.getBoundingClientRect();
    const [from, to] = [[outer.left, outer.top], [outer.right, outer.bottom]].map(
      place => new DOMPoint(...place).matrixTransform(toDrawing));
    const middle = (from.y + to.y) / 2;
    const half = element.tagName === "text" ? 0.36 * parseFloat(getComputedStyle(element).fontSize) : (to.y - from.y) / 2;
    return { left: from.x, right: to.x, top: middle - half, bottom: middle + half };
  };
  const boxes = new Map(parts.map(one => [one, boxOf(one)])), box = one => boxes.get(one);
  const hides = (cell, text) => cell.left <= text.left + 1 && cell.right >= text.right - 1
    && cell.top <= text.top && cell.bottom >= text.bottom;
  const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  const on = (shape, x, y) => {
    const style = getComputedStyle(shape);
    const place = new DOMPoint(x, y).matrixTransform(toDrawing.multiply(shape.getScreenCTM()).inverse());
    return (style.fill !== "none" && style.fillOpacity !== "0" && shape.isPointInFill(place))
      || (style.stroke !== "none" && shape.isPointInStroke(place));
  };
  const near = (shape, text) => shape.left - 4 < text.right && shape.right + 4 > text.left
    && shape.top - 4 < text.bottom && shape.bottom + 4 > text.top;
  const crosses = (shape, text) => near(box(shape), text) && [0, 1, 2, 3, 4, 5, 6].some(i => [0.15, 0.5, 0.85].some(share =>
    on(shape, text.left + (text.right - text.left) * i / 6, text.top + (text.bottom - text.top) * share)));

  const faults = [], shown = [];
  parts.forEach((text, i) => {
    if (text.tagName !== "text" || text.textContent.trim() === "") return;
    const own = box(text), words = `"${text.textContent}"`;
    const later = parts.slice(i + 1).filter(one => one.tagName !== "text");
    if (later.some(one => one.matches("rect.page") && hides(box(one), own))) return;
    const { width, height } = svg.viewBox.baseVal;
    if (own.left < EDGE || own.right > width - EDGE || own.top < 2 || own.bottom > height - 2) {
      faults.push(`${words} touches the edge`);
    }
    if (parseFloat(getComputedStyle(text).fontSize) < 8) faults.push(`${words} is too small`);
    if (later.some(one => crosses(one, own))) faults.push(`${words} is covered`);
    let last = -1;
    parts.slice(0, i).forEach((one, j) => { if (one.matches("rect.page, circle.page") && hides(box(one), own)) last = j; });
    if (parts.slice(last + 1, i).some(one => one.matches("path.ink, polygon, circle.ink") && crosses(one, own))) {
      faults.push(`${words} is crossed by a line`);
    }
    for (const [others, name] of shown) if (meet(others, own)) faults.push(`${words} overlaps ${name}`);
    shown.push([own, words]);
  });
  return faults;
}
