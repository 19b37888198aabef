// What all pages use: elements, buttons that are on or off, and what is shown kept in the page's address, so that it can be
// passed on: #status=fail,trap&group=rv64ui&text=...
const report = JSON.parse(document.getElementById("report").textContent);
const $ = id => document.getElementById(id);
const element = (tag, text, name) => {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    if (name) made.className = name;
    return made;
};
const asked = new URLSearchParams(location.hash.slice(1));
const toggle = (text, name, chosen, show) => {
    const button = element("button", text);
    button.dataset.name = name;
    button.setAttribute("aria-pressed", chosen.has(name));
    button.onclick = () => {
        chosen.has(name) ? chosen.delete(name) : chosen.add(name);
        button.setAttribute("aria-pressed", chosen.has(name));
        show();
    };
    return button;
};
const remember = pairs => history.replaceState(null, "", "#" + new URLSearchParams(pairs.filter(([, value]) => value)));
