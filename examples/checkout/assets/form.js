// The page works without this: it only saves the customer some typing, and shows that the press was seen.
const product = document.getElementById("product");
const amount = document.getElementById("amount");
const button = document.querySelector("button");

function price() {
  const fixed = product.selectedOptions[0]?.dataset.price;
  if (fixed) amount.value = fixed;
  else if (amount.readOnly) amount.value = "";
  amount.readOnly = Boolean(fixed);
}

if (product) {
  product.addEventListener("change", price);
  price();
  product.form.addEventListener("submit", () => {
    // A second press would do no harm: the form carries the order's id.
    button.textContent = "One moment…";
    button.setAttribute("aria-busy", "true");
  });
  document.querySelector("[aria-invalid]")?.focus();
}
