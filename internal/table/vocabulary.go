package table

// IDHeaders are the headers of a column of our ids, in order files and statements.
func IDHeaders() []string {
	return []string{
		"distributor transaction id", "client transaction id", "client reference", "customer reference",
		"merchant reference",
		"external id", "external reference", "order id", "order number", "order", "id transaccion distribuidor",
		"id de transaccion del distribuidor", "id transaccion cliente", "referencia cliente", "referencia del cliente",
		"referencia externa",
		"id externo", "id pedido", "id de pedido", "numero de pedido", "pedido", "id orden", "id de orden", "orden",
		"folio cliente", "id",
	}
}

// PhoneHeaders are those of a column of phone numbers.
func PhoneHeaders() []string {
	return []string{
		"phone number", "phone", "msisdn", "mobile number", "telefono", "numero telefono", "numero de telefono",
		"numero telefonico", "celular",
		"numero celular", "numero de celular", "movil", "numero movil", "dn",
	}
}

// AmountHeaders are those of a column of amounts in MXN.
func AmountHeaders() []string {
	return []string{
		"amount mxn", "amount", "topup amount", "face value", "monto mxn", "monto", "monto recarga", "monto de la recarga",
		"importe mxn", "importe",
		"valor", "denominacion",
	}
}

// ProductHeaders are those of a column of products.
func ProductHeaders() []string {
	return []string{
		"product id", "product", "sku", "id producto", "id de producto", "clave producto", "clave de producto",
		"clave del producto", "producto",
	}
}

// OperatorHeaders are those of a column of carriers.
func OperatorHeaders() []string {
	return []string{"operator", "carrier", "operador", "compania", "telefonica"}
}
