package console

import (
	"net/http"

	"recarga/topup"
)

// correctPage asks what a final order was in truth.
func (c *Console) correctPage(w http.ResponseWriter, r *http.Request, _ operator) error {
	v, err := c.orderView(r)
	if err != nil {
		return err
	}
	return c.askCorrect(w, r, http.StatusOK, v)
}

func (c *Console) askCorrect(w http.ResponseWriter, r *http.Request, status int, v orderView) error {
	if len(v.CanBecome) == 0 {
		return &problem{http.StatusConflict, "Order " + string(v.ID) + " is " + string(v.State) +
			": only a final state can be corrected."}
	}
	c.show(w, r, status, "correct", view{Title: "Correct " + string(v.ID), Data: v})
	return nil
}

func (c *Console) correct(w http.ResponseWriter, r *http.Request, who operator) error {
	v, err := c.judged(r)
	if err != nil {
		return err
	}
	v.Form = readResolveForm(r)
	_, err = c.cfg.Orders.Correct(r.Context(), v.ID, topup.Correction{
		Outcome: topup.ResolvedAs(v.Form.Outcome), Reason: v.Form.Reason, By: who.Name,
		TransactionID: topup.NullString(v.Form.TransactionID), Reference: topup.NullString(v.Form.Reference),
		AuthCode: topup.NullString(v.Form.AuthCode),
	})
	if len(topup.FieldErrors(err)) > 0 {
		v.Wrong = err.Error()
		return c.askCorrect(w, r, http.StatusUnprocessableEntity, v)
	}
	if err == nil {
		http.Redirect(w, r, done(v.ID, "corrected"), http.StatusSeeOther)
	}
	return err
}

// upholdPage asks whether the state of a disputed order is right.
func (c *Console) upholdPage(w http.ResponseWriter, r *http.Request, _ operator) error {
	v, err := c.orderView(r)
	if err != nil {
		return err
	}
	if v.Disputed() == nil {
		return topup.ErrNotDisputed
	}
	c.show(w, r, http.StatusOK, "uphold", view{Title: "Uphold " + string(v.ID), Data: v})
	return nil
}

func (c *Console) uphold(w http.ResponseWriter, r *http.Request, who operator) error {
	v, err := c.judged(r)
	if err != nil {
		return err
	}
	reason, err := reasonOf(r)
	if err != nil {
		return err
	}
	_, err = c.cfg.Orders.Uphold(r.Context(), v.ID, topup.Upholding{Outcome: topup.DisputeUpheld, Reason: reason,
		By: who.Name})
	if err == nil {
		http.Redirect(w, r, done(v.ID, "upheld"), http.StatusSeeOther)
	}
	return err
}

// judged is the order that a form judges, if it is still in the state that the form showed.
func (c *Console) judged(r *http.Request) (orderView, error) {
	v, err := c.orderView(r)
	if was := r.PostFormValue("was"); err == nil && was != string(v.State) {
		text := "Nothing was done. Order " + string(v.ID) + " is " + string(v.State) + ", not " + was +
			" as it was shown. Review it again."
		return v, &problem{http.StatusConflict, text}
	}
	return v, err
}
