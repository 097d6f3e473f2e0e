-- name: tally
INSERT INTO tallies (state, writer, orders)
VALUES ($1, $2, $3)
ON CONFLICT (state, writer) DO UPDATE SET orders = tallies.orders + excluded.orders

